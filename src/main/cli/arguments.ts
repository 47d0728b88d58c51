/**
 * The command line's own strict parser: `--name value`, `--name=value`, flags, `--` before arguments that start with dashes.
 * Whatever a grammar does not name is a user's mistake, said in one sentence.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { SpliceError } from '../../contract/errors.ts'

/** What a command takes. `values` are given at most once, `lists` any number of times; names are without their dashes. */
export interface Grammar {
  readonly command: string
  readonly flags: readonly string[]
  readonly values: readonly string[]
  readonly lists: readonly string[]
  /** What its arguments without dashes are called, e.g. `QUERY`; null where it takes none. */
  readonly operand: string | null
  /** `some` are at least one, `any` also none. */
  readonly operands: 'none' | 'one' | 'some' | 'any'
}

/** Arguments sorted by a grammar, still as text. */
export interface Arguments {
  readonly flags: ReadonlySet<string>
  readonly values: ReadonlyMap<string, string>
  readonly lists: ReadonlyMap<string, readonly string[]>
  /** What `lists` holds, option by option in the order given. */
  readonly listed: readonly (readonly [name: string, value: string])[]
  readonly operands: readonly string[]
}

/** A user's mistake about one option or argument; `hint` says what to do about it. */
export function mistake(field: string, message: string, hint?: string): SpliceError {
  return new SpliceError('cli/usage', message, { field, ...(hint === undefined ? {} : { hint }) })
}

/** Sorts a command's arguments. Throws `cli/usage` for anything the grammar does not allow. */
export function readArguments(argv: readonly string[], grammar: Grammar): Arguments {
  const flags = new Set<string>()
  const values = new Map<string, string>()
  const lists = new Map<string, string[]>()
  const listed: [string, string][] = []
  const operands: string[] = []
  const help = `splice ${grammar.command} --help lists its options.`

  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? ''
    if (argument === '--') {
      operands.push(...argv.slice(at + 1))
      break
    }
    if (!argument.startsWith('-') || argument === '-') {
      operands.push(argument)
      continue
    }
    const equals = argument.startsWith('--') ? argument.indexOf('=') : -1
    const option = equals === -1 ? argument : argument.slice(0, equals)
    const name = option.replace(/^--/, '')
    if (!option.startsWith('--')) throw mistake(option, `${option} is not an option of splice ${grammar.command}.`, help)

    if (grammar.flags.includes(name)) {
      if (equals !== -1) throw mistake(option, `${option} takes no value.`, `Write ${option} alone.`)
      flags.add(name)
      continue
    }
    const isList = grammar.lists.includes(name)
    if (!isList && !grammar.values.includes(name)) throw mistake(option, `${option} is not an option of splice ${grammar.command}.`, help)
    const value = equals === -1 ? argv[++at] : argument.slice(equals + 1)
    if (value === undefined) throw mistake(option, `${option} needs a value.`, help)
    // `--prompt --json` is a forgotten value far more often than a prompt of "--json".
    if (equals === -1 && value.startsWith('--')) {
      throw mistake(option, `${option} needs a value, but ${value} follows.`, `If ${value} is the value, write ${option}=${value}.`)
    }
    if (isList) {
      lists.set(name, [...(lists.get(name) ?? []), value])
      listed.push([name, value])
    } else if (values.has(name)) throw mistake(option, `${option} is given twice.`, 'Give it once.')
    else values.set(name, value)
  }
  checkOperands(operands, grammar)
  return { flags, values, lists, listed, operands }
}

/** A whole number given to an option, within [least, most]. */
export function readCount(option: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw mistake(
    option,
    `${option} ${quoted(text)} is not a whole number from ${least} to ${most}.`,
    `Write e.g. ${option} ${Math.max(least, 10)}.`
  )
}

/** A number given to an option, within [least, most]. */
export function readNumber(option: string, text: string, least: number, most: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= least && value <= most) return value
  throw mistake(option, `${option} ${quoted(text)} is not a number from ${least} to ${most}.`, `Write e.g. ${option} ${Math.min(most, 1)}.`)
}

/** One of a few words given to an option. */
export function readChoice<Choice extends string>(option: string, text: string, choices: readonly Choice[]): Choice {
  const found = choices.find(choice => choice === text)
  if (found !== undefined) return found
  throw mistake(option, `${option} ${quoted(text)} is unknown.`, `Choose one of ${choices.join(', ')}.`)
}

/** The mirror that `--db` names, as an absolute path; undefined where the home's is meant. */
export function readDb(args: Arguments): string | undefined {
  const db = args.values.get('db')
  if (db === '') throw mistake('--db', '--db is empty.', 'Give a file: --db FILE.')
  return db === undefined ? undefined : resolve(db)
}

/** The same for a command that makes no mirror: the file that `--db` names has to be there. */
export function readExistingDb(args: Arguments): string | undefined {
  const db = readDb(args)
  if (db === undefined || existsSync(db)) return db
  throw mistake('--db', `--db: no mirror is at ${db}.`, `Make it with splice import PATH --db ${db}.`)
}

/** A value that an option was given and that is not empty; undefined where it was not given. */
export function readText(args: Arguments, name: string): string | undefined {
  const text = args.values.get(name)
  if (text === '') throw mistake(`--${name}`, `--${name} is empty.`, `Give it a value, or leave --${name} out.`)
  return text
}

/** `A:B`, `A:` or `:B`, both ends included, or one number alone. */
export function readRange(option: string, text: string, number: RegExp): { from?: number; to?: number } {
  const [from = '', to = from, ...more] = text.split(':')
  const isOne = (part: string) => part === '' || (number.test(part) && Number.isFinite(Number(part)))
  const range = { ...(from === '' ? {} : { from: Number(from) }), ...(to === '' ? {} : { to: Number(to) }) }
  if (
    more.length === 0 &&
    isOne(from) &&
    isOne(to) &&
    Object.keys(range).length > 0 &&
    (range.from ?? 0) <= (range.to ?? Number.POSITIVE_INFINITY)
  ) {
    return range
  }
  throw mistake(option, `${option} ${quoted(text)} is no range.`, `Write ${option} A:B, A: or :B, both ends included.`)
}

/** MODEL/SOURCE. */
export function readSource(argument: string, text: string): string {
  if (/^[^/]+\/[^/]+$/.test(text)) return text
  throw mistake(
    argument,
    `${quoted(text)} is no MODEL/SOURCE.`,
    'Write e.g. gemma-2-2b/20-gemmascope-res-16k; splice sources lists those there are.'
  )
}

/** MODEL/SOURCE/INDEX. */
export function readFeature(text: string): { source: string; index: number } {
  const [, source, index] = /^([^/]+\/[^/]+)\/(\d{1,15})$/.exec(text) ?? []
  if (source !== undefined && index !== undefined) return { source, index: Number(index) }
  throw mistake('MODEL/SOURCE/INDEX', `${quoted(text)} is no MODEL/SOURCE/INDEX.`, 'Write e.g. gemma-2-2b/20-gemmascope-res-16k/10004.')
}

/** Text as it is quoted in a message; long text is cut. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}

function checkOperands(operands: readonly string[], grammar: Grammar): void {
  const first = operands[0]
  if (grammar.operand === null) {
    if (first !== undefined) {
      throw mistake(
        first,
        `splice ${grammar.command} takes no argument ${quoted(first)}.`,
        `splice ${grammar.command} --help lists its options.`
      )
    }
    return
  }
  if (first === undefined && grammar.operands === 'any') return
  if (first === undefined)
    throw mistake(
      grammar.operand,
      `splice ${grammar.command} needs ${grammar.operand}.`,
      `Write splice ${grammar.command} ${grammar.operand}.`
    )
  const second = operands[1]
  if (grammar.operands === 'one' && second !== undefined) {
    throw mistake(
      second,
      `splice ${grammar.command} takes one ${grammar.operand}, but ${quoted(second)} follows it.`,
      `Put quotes around a ${grammar.operand} of several words.`
    )
  }
}
