/** Takes the owner of a machine out of a text that others may read: folders, and the name that is in their paths. */
import os from 'node:os'

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Absolute paths by their last name alone. A name with spaces is told whole only where `known` has its folder. */
export function withoutOwner(text: string, known: readonly string[] = []): string {
  const folders = [...new Set([...known, os.homedir()])].filter(folder => folder.length > 1).sort((one, other) => other.length - one.length)
  const user = os.userInfo().username
  let short = text
  // What follows a folder that is known is a path too.
  for (const folder of folders) short = short.replaceAll(folder, '/~')
  short = short.replaceAll(/(?<![\w.~/…:-])(?:[A-Za-z]:)?[\\/](?:[^\s\\/"'`,;:()]+[\\/])+/g, '…/')
  return user.length > 2 && user !== 'root' ? short.replaceAll(new RegExp(`(?<!\\w)${escaped(user)}(?!\\w)`, 'g'), 'user') : short
}
