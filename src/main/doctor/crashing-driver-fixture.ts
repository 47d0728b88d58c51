/** For tests: a driver of Vulkan that ends the process which loads it, as broken drivers do. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** ELF's machine, and an instruction that no processor of it has. */
const machines: Partial<Record<NodeJS.Architecture, { machine: number; undefinedInstruction: number[] }>> = {
  x64: { machine: 62, undefinedInstruction: [0x0f, 0x0b] },
  arm64: { machine: 183, undefinedInstruction: [0, 0, 0, 0] }
}

/**
 * The smallest shared library for Linux whose initialisation (DT_INIT) is an undefined instruction: one loadable segment with the headers, the
 * dynamic section, an empty symbol table, and that instruction.
 */
function crashingLibrary({ machine, undefinedInstruction }: { machine: number; undefinedInstruction: number[] }): Buffer {
  const [headers, dynamic] = [64 + 2 * 56, 7 * 16]
  const hash = headers + dynamic
  const symbols = hash + 16
  const strings = symbols + 24
  const code = strings + 8
  const size = code + 8
  const bytes = Buffer.alloc(size)
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  bytes.writeUInt16LE(3, 16) // a shared object
  bytes.writeUInt16LE(machine, 18)
  bytes.writeUInt32LE(1, 20)
  bytes.writeBigUInt64LE(64n, 32) // where program headers are
  bytes.writeUInt16LE(64, 52)
  bytes.writeUInt16LE(56, 54)
  bytes.writeUInt16LE(2, 56)
  const segment = (at: number, type: number, offset: number, length: number): void => {
    bytes.writeUInt32LE(type, at)
    bytes.writeUInt32LE(7, at + 4) // readable, writable, executable
    for (const place of [8, 16, 24]) bytes.writeBigUInt64LE(BigInt(offset), at + place)
    for (const place of [32, 40]) bytes.writeBigUInt64LE(BigInt(length), at + place)
    bytes.writeBigUInt64LE(type === 1 ? 0x10000n : 8n, at + 48)
  }
  segment(64, 1, 0, size)
  segment(64 + 56, 2, headers, dynamic)
  const entries = [
    [4, hash],
    [6, symbols],
    [5, strings],
    [10, 1],
    [11, 24],
    [12, code],
    [0, 0]
  ] as const
  for (const [place, [tag, value]] of entries.entries()) {
    bytes.writeBigUInt64LE(BigInt(tag), headers + 16 * place)
    bytes.writeBigUInt64LE(BigInt(value), headers + 16 * place + 8)
  }
  bytes.writeUInt32LE(1, hash)
  bytes.writeUInt32LE(1, hash + 4)
  bytes.set(undefinedInstruction, code)
  return bytes
}

/** Writes such a driver into a folder and gives its manifest, or null where none can be made for this machine. */
export function writeCrashingDriver(folder: string): string | null {
  const machine = process.platform === 'linux' ? machines[process.arch as NodeJS.Architecture] : undefined
  if (machine === undefined) return null
  mkdirSync(folder, { recursive: true })
  const manifest = path.join(folder, 'crashing_icd.json')
  writeFileSync(path.join(folder, 'libcrashing.so'), crashingLibrary(machine))
  writeFileSync(manifest, JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: './libcrashing.so', api_version: '1.1.0' } }))
  return manifest
}
