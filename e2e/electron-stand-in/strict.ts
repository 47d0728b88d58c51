/** Objects that have what was given to them and throw for everything else, and the names that Electron's own types have. */
import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** An object whose unknown properties cannot be read or written. */
export function strict<Value extends object>(name: string, value: Value): Value {
  const check = (key: string | symbol) => {
    if (typeof key === 'symbol' || key === 'then' || key === 'toJSON' || key in value) return
    throw new Error(`the stand-in for Electron has no ${name}.${key}`)
  }
  return new Proxy(value, {
    get(target, key) {
      check(key)
      const found: unknown = Reflect.get(target, key, target)
      return typeof found === 'function' && !/^class\b/.test(String(found)) ? found.bind(target) : found
    },
    set(target, key, to) {
      check(key)
      return Reflect.set(target, key, to, target)
    }
  })
}

const types = readFileSync(fileURLToPath(new URL('../../node_modules/electron/electron.d.ts', import.meta.url)), 'utf8')

/** The text of a class or interface in Electron's types. */
function declarationOf(name: string): string {
  const start = new RegExp(`^  (class|interface) ${name}\\b`, 'm').exec(types)
  if (start === null) throw new Error(`Electron's types have no ${name}`)
  return types.slice(start.index, types.indexOf('\n  }\n', start.index))
}

const cached = new Map<string, Set<string>>()
function names(key: string, find: () => Iterable<string>): Set<string> {
  const known = cached.get(key) ?? new Set(find())
  cached.set(key, known)
  return known
}

/** Throws for an option that the types of `interfaces` do not have. */
export function checkOptions(options: object, ...interfaces: string[]): void {
  const known = names(interfaces.join(), () =>
    interfaces.flatMap(name => [...declarationOf(name).matchAll(/^ {4}(\w+)\??:/gm)].map(([, field]) => String(field)))
  )
  for (const name of Object.keys(options)) if (!known.has(name)) throw new Error(`${interfaces[0]} has no option ${name}`)
}

/** The values that an option of string literals may have. */
export function choicesOf(name: string, option: string): Set<string> {
  return names(`${name}.${option}`, () => {
    const [, text = ''] = new RegExp(`^ {4}${option}\\??: (.*);$`, 'm').exec(declarationOf(name)) ?? []
    return [...text.matchAll(/'([^']+)'/g)].map(([, choice]) => String(choice))
  })
}

/** Emits events that the types of a class have; another name throws. */
export class TypedEmitter extends EventEmitter {
  readonly #known: Set<string>

  constructor(...classes: string[]) {
    super()
    this.#known = names(`events:${classes.join()}`, () =>
      classes.flatMap(name => [...declarationOf(name).matchAll(/\bon\(event: '([^']+)'/g)].map(([, event]) => String(event)))
    )
  }

  override on(event: string, listener: (...args: never[]) => void): this {
    this.#check(event)
    return super.on(event, listener as (...args: unknown[]) => void)
  }

  override once(event: string, listener: (...args: never[]) => void): this {
    this.#check(event)
    return super.once(event, listener as (...args: unknown[]) => void)
  }

  /** Emits with an event that can be prevented in front; true where it was. */
  ask(event: string, details: object = {}, ...more: unknown[]): boolean {
    let isPrevented = false
    const preventDefault = () => {
      isPrevented = true
    }
    this.emit(event, { ...details, preventDefault }, ...more)
    return isPrevented
  }

  #check(event: string): void {
    if (!this.#known.has(event)) throw new Error(`Electron has no event ${event} here`)
  }
}
