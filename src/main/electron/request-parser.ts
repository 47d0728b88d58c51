/** What a command line, a file's association or a `splice:` link asks for. Links come from strangers: a schema says all that one may be. */
import path from 'node:path'
import { z } from 'zod'
import type { OpeningRequest } from '../../contract/opening.ts'

/** A path on this machine, written whole. Windows would send a person's credentials to whatever server a `\\server\...` path names. */
const localPath = z
  .string()
  .max(4096)
  .refine(
    text => path.isAbsolute(text) && !/^[\\/]{2}/.test(text) && !/\p{Cc}/u.test(text),
    'is not the full path of a folder on this machine'
  )

const openLink = z
  .object({ model: z.array(localPath).max(1), sae: z.array(localPath).max(8) })
  .refine(({ model, sae }) => model.length + sae.length > 0, 'names neither a model nor an SAE')

/** The address of a view, as the window has it. */
const address = z
  .string()
  .regex(/^#\/[a-z][a-z-]{0,40}([/?][\x21-\x7e]*)?$/, 'is not the address of a view')
  .max(2000)

const refusedHint = 'A link is splice://open?model=FOLDER&sae=FOLDER or splice://app/#/VIEW...'

function refused(what: string): OpeningRequest {
  return { kind: 'refused', message: `The link was not opened: ${what}.`, hint: refusedHint }
}

/** Parses a link; one that is not allowed becomes a refusal with its reason. */
export function parseLink(link: string): OpeningRequest {
  const url = URL.parse(link)
  if (url === null || url.protocol !== 'splice:') return refused('it is not a splice: link')
  if (url.username !== '' || url.password !== '' || url.port !== '') return refused('it has more than a place and a query')
  const isRoot = url.pathname === '' || url.pathname === '/'
  if (url.host === 'app' && isRoot && url.search === '') {
    const hash = address.safeParse(url.hash)
    return hash.success ? { kind: 'address', hash: hash.data } : refused('what follows # is not the address of a view')
  }
  if (url.host !== 'open' || !isRoot || url.hash !== '') return refused(`${url.host || 'this'} is nothing that a link may ask for`)
  const { searchParams } = url
  const other = [...searchParams.keys()].find(name => name !== 'model' && name !== 'sae')
  if (other !== undefined) return refused(`it asks for ${other}`)
  const wanted = openLink.safeParse({ model: searchParams.getAll('model'), sae: searchParams.getAll('sae') })
  if (wanted.success) return { kind: 'link', model: wanted.data.model[0], saes: wanted.data.sae }
  const [problem] = wanted.error.issues
  const field = problem?.path[0]
  return refused(field === undefined ? `it ${problem?.message}` : `its ${String(field)} ${problem?.message}`)
}

/** What a command line asks for: links, and files and folders, relative to a folder. Options are Chromium's own. */
export function parseArguments(args: readonly string[], folder: string): OpeningRequest[] {
  const named = args.filter(argument => argument !== '' && !argument.startsWith('-'))
  const links = named.filter(argument => /^splice:/i.test(argument))
  const paths = named.filter(argument => !links.includes(argument)).map(file => path.resolve(folder, file))
  return [...links.map(parseLink), ...(paths.length > 0 ? [{ kind: 'files' as const, paths }] : [])]
}
