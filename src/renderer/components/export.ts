/** Copying and downloading what is shown. */
import { notices } from '../state/notices.svelte.ts'

/** Puts text on the clipboard and says so; `what` names it, e.g. `The table`. */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    notices.show({ level: 'info', key: 'copied', message: `${what} was copied.` })
  } catch {
    notices.show({ level: 'error', key: 'copied', message: `${what} was not copied: the browser forbids the clipboard on this page.` })
  }
}

/** Offers bytes or text as a file. */
export function downloadFile(name: string, content: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

/** Bytes of one part of a file that the engine holds. */
const partBytes = 8_388_608

/** Fetches a file that the engine holds, part by part; `tell` hears the share that is here. */
export async function fetchHeldFile(
  bytes: number,
  part: (offset: number, length: number) => Promise<{ bytes: Blob }>,
  tell: (share: number) => void = () => undefined
): Promise<Blob> {
  const parts: Blob[] = []
  for (let offset = 0; offset < bytes; offset += partBytes) {
    tell(offset / bytes)
    parts.push((await part(offset, partBytes)).bytes)
  }
  return new Blob(parts, { type: 'application/octet-stream' })
}
