/**
 * Reads the pickles inside torch files, and nothing else (https://docs.python.org/3/library/pickletools.html lists the opcodes).
 * A pickle is a program; this runs none of it. Numbers, texts and containers become values, and a global is a name that the
 * caller knows or an error: no name is ever looked up. Work and memory are bounded.
 */

/** A name that a pickle refers to, such as `collections.OrderedDict`. */
export class PickleGlobal {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** A value of a pickle. Dictionaries are maps, tuples and lists are arrays; `unknown` is what the caller's `build` gave. */
export type PickleValue = unknown

/** What the caller knows of the pickle's world. Each may throw; what it throws comes out as it is. */
export interface PickleWorld {
  /** Checks a global by its full name. */
  allow(name: string): void
  /** The value of a call: `build('collections.OrderedDict', [])`. */
  build(name: string, args: readonly PickleValue[]): PickleValue
  /** The value behind a persistent id, which torch uses for storages. */
  load(id: PickleValue): PickleValue
}

/** What makes a pickle unreadable; the caller says which file it is of. */
export class PickleError extends Error {}

/** Where a group of values starts on the stack. */
const mark = Symbol('mark')

const maximumTextBytes = 1024 * 1024
/** Some 25 steps make a tensor; a file of twenty thousand tensors stays below. */
const maximumSteps = 500_000
const lastProtocol = 5

class Bytes {
  readonly #buffer: Buffer
  #at = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  take(length: number): Buffer {
    if (length < 0 || this.#at + length > this.#buffer.length) throw new PickleError('the pickle ends inside a value')
    this.#at += length
    return this.#buffer.subarray(this.#at - length, this.#at)
  }

  byte(): number {
    return this.take(1)[0] ?? 0
  }

  text(length: number): string {
    if (length > maximumTextBytes) throw new PickleError(`a text of ${length} bytes is longer than any name or path`)
    return this.take(length).toString('utf8')
  }

  /** Up to a line feed, which is not part of it. */
  line(): string {
    const end = this.#buffer.indexOf(0x0a, this.#at)
    if (end === -1) throw new PickleError('the pickle ends inside a line')
    const text = this.text(end - this.#at)
    this.#at = end + 1
    return text
  }
}

/** A number of at most eight bytes, little-endian and signed; larger ones than a double can hold are refused. */
function readLong(bytes: Buffer): number {
  if (bytes.length === 0) return 0
  if (bytes.length > 8) throw new PickleError(`a number of ${bytes.length} bytes is larger than any size`)
  let value = BigInt.asIntN(8, BigInt(bytes.at(-1) ?? 0))
  for (const byte of [...bytes.subarray(0, -1)].reverse()) value = value * 256n + BigInt(byte)
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new PickleError(`the number ${value} is larger than any size`)
  return number
}

class Machine {
  readonly #bytes: Bytes
  readonly #world: PickleWorld
  readonly #stack: (PickleValue | typeof mark)[] = []
  readonly #memo = new Map<number, PickleValue>()

  constructor(pickle: Buffer, world: PickleWorld) {
    this.#bytes = new Bytes(pickle)
    this.#world = world
  }

  /** The value at the pickle's end. */
  run(): PickleValue {
    for (let steps = 0; steps < maximumSteps; steps++) {
      const opcode = this.#bytes.byte()
      if (opcode === 0x2e /* STOP */) return this.#pop()
      this.#step(opcode)
    }
    throw new PickleError(`the pickle takes more than ${maximumSteps} steps`)
  }

  #push(value: PickleValue | typeof mark): void {
    this.#stack.push(value)
  }

  #pop(): PickleValue {
    if (this.#stack.length === 0) throw new PickleError('the pickle takes more values than it has')
    const value = this.#stack.pop()
    if (value === mark) throw new PickleError('the pickle takes a value where a group starts')
    return value
  }

  #top(): PickleValue {
    const value = this.#pop()
    this.#push(value)
    return value
  }

  /** The values above the last mark, which goes with them. */
  #group(): PickleValue[] {
    const start = this.#stack.lastIndexOf(mark)
    if (start === -1) throw new PickleError('the pickle ends a group that it never started')
    return this.#stack.splice(start).slice(1)
  }

  #remember(index: number): void {
    this.#memo.set(index, this.#top())
  }

  #recall(index: number): void {
    if (!this.#memo.has(index)) throw new PickleError('the pickle recalls a value that it never stored')
    this.#push(this.#memo.get(index))
  }

  #global(module: string, name: string): void {
    const full = `${module}.${name}`
    this.#world.allow(full)
    this.#push(new PickleGlobal(full))
  }

  #stackGlobal(): void {
    const name = this.#pop()
    const module = this.#pop()
    if (typeof module !== 'string' || typeof name !== 'string') throw new PickleError('the pickle names a global without a name')
    this.#global(module, name)
  }

  #call(): void {
    const args = this.#pop()
    const callee = this.#pop()
    if (!(callee instanceof PickleGlobal) || !Array.isArray(args)) throw new PickleError('the pickle calls what is no name')
    this.#push(this.#world.build(callee.name, args))
  }

  #setItems(pairs: readonly PickleValue[]): void {
    const target = this.#top()
    if (!(target instanceof Map) || pairs.length % 2 !== 0) throw new PickleError('the pickle puts entries into what is no dictionary')
    for (let at = 0; at < pairs.length; at += 2) target.set(pairs[at], pairs[at + 1])
  }

  #append(values: readonly PickleValue[]): void {
    const target = this.#top()
    if (!Array.isArray(target)) throw new PickleError('the pickle appends to what is no list')
    for (const value of values) target.push(value)
  }

  #tuple(size: number): void {
    const values: PickleValue[] = []
    for (let at = 0; at < size; at++) values.unshift(this.#pop())
    this.#push(values)
  }

  #step(opcode: number): void {
    const instruction = Machine.#instructions.get(opcode)
    if (instruction === undefined) {
      throw new PickleError(`the pickle has the instruction 0x${opcode.toString(16)}, which no table of tensors needs`)
    }
    instruction(this, this.#bytes)
  }

  /** What a table of tensors needs of pickle's instructions, by their codes. */
  static readonly #instructions: ReadonlyMap<number, (machine: Machine, bytes: Bytes) => void> = new Map<
    number,
    (machine: Machine, bytes: Bytes) => void
  >([
    [0x80, (_, bytes) => refuseProtocol(bytes.byte())], // PROTO
    [0x95, (_, bytes) => bytes.take(8)], // FRAME
    [0x28, m => m.#push(mark)], // MARK
    [0x30, m => m.#stack.pop()], // POP
    [0x31, m => m.#group()], // POP_MARK
    [0x4e, m => m.#push(null)], // NONE
    [0x88, m => m.#push(true)], // NEWTRUE
    [0x89, m => m.#push(false)], // NEWFALSE
    [0x4b, (m, bytes) => m.#push(bytes.byte())], // BININT1
    [0x4d, (m, bytes) => m.#push(bytes.take(2).readUInt16LE())], // BININT2
    [0x4a, (m, bytes) => m.#push(bytes.take(4).readInt32LE())], // BININT
    [0x8a, (m, bytes) => m.#push(readLong(bytes.take(bytes.byte())))], // LONG1
    [0x47, (m, bytes) => m.#push(bytes.take(8).readDoubleBE())], // BINFLOAT
    [0x8c, (m, bytes) => m.#push(bytes.text(bytes.byte()))], // SHORT_BINUNICODE
    [0x55, (m, bytes) => m.#push(bytes.text(bytes.byte()))], // SHORT_BINSTRING
    [0x43, (m, bytes) => m.#push(bytes.text(bytes.byte()))], // SHORT_BINBYTES
    [0x58, (m, bytes) => m.#push(bytes.text(bytes.take(4).readUInt32LE()))], // BINUNICODE
    [0x54, (m, bytes) => m.#push(bytes.text(bytes.take(4).readUInt32LE()))], // BINSTRING
    [0x42, (m, bytes) => m.#push(bytes.text(bytes.take(4).readUInt32LE()))], // BINBYTES
    [0x8d, (m, bytes) => m.#push(bytes.text(readLong(bytes.take(8))))], // BINUNICODE8
    [0x5d, m => m.#push([])], // EMPTY_LIST
    [0x29, m => m.#push([])], // EMPTY_TUPLE
    [0x7d, m => m.#push(new Map())], // EMPTY_DICT
    [0x85, m => m.#tuple(1)], // TUPLE1
    [0x86, m => m.#tuple(2)], // TUPLE2
    [0x87, m => m.#tuple(3)], // TUPLE3
    [0x74, m => m.#push(m.#group())], // TUPLE
    [0x6c, m => m.#push(m.#group())], // LIST
    [0x61, m => m.#append([m.#pop()])], // APPEND
    [0x65, m => m.#append(m.#group())], // APPENDS
    [0x73, m => m.#setItems([m.#pop(), m.#pop()].reverse())], // SETITEM
    [0x75, m => m.#setItems(m.#group())], // SETITEMS
    [0x71, (m, bytes) => m.#remember(bytes.byte())], // BINPUT
    [0x72, (m, bytes) => m.#remember(bytes.take(4).readUInt32LE())], // LONG_BINPUT
    [0x94, m => m.#remember(m.#memo.size)], // MEMOIZE
    [0x68, (m, bytes) => m.#recall(bytes.byte())], // BINGET
    [0x6a, (m, bytes) => m.#recall(bytes.take(4).readUInt32LE())], // LONG_BINGET
    [0x63, (m, bytes) => m.#global(bytes.line(), bytes.line())], // GLOBAL
    [0x93, m => m.#stackGlobal()], // STACK_GLOBAL
    [0x52, m => m.#call()], // REDUCE
    [0x51, m => m.#push(m.#world.load(m.#pop()))], // BINPERSID
    [0x62, m => m.#pop()] // BUILD: attributes of an object, which a table of tensors does not need
  ])
}

function refuseProtocol(protocol: number): void {
  if (protocol > lastProtocol) throw new PickleError(`the pickle has the protocol ${protocol}`)
}

/** The value that a pickle describes. Throws `PickleError`, and what the world throws. */
export function readPickle(pickle: Buffer, world: PickleWorld): PickleValue {
  return new Machine(pickle, world).run()
}
