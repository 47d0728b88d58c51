/** Products with mapped weights of every type, small ones and ones that are upcast piece by piece. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { GraphBuilder } from './graph.ts'
import { multiplyTransposed, rowsOf, type Weight } from './weights.ts'

/** Multiples of 1/64 up to 1, which all types hold exactly. */
const valueAt = (place: number) => ((place * 7919) % 128) / 64 - 1

/** The 16 bits of such a value: bfloat16 is the upper half of a float32, a half has a smaller exponent. */
function bitsOf(value: number, dtype: 'F16' | 'BF16'): number {
  const [word = 0] = new Uint32Array(Float32Array.of(value).buffer)
  if (dtype === 'BF16') return word >>> 16
  return value === 0 ? 0 : ((word >>> 16) & 0x8000) | ((((word >>> 23) & 0xff) - 112) << 10) | ((word >>> 13) & 0x3ff)
}

async function product(weight: Weight, x: Float32Array, width: number, bias: Float32Array | null): Promise<Float32Array> {
  const graph = new GraphBuilder()
  const input = graph.input('x', 'float32', ['n', width])
  const added = bias === null ? undefined : graph.input('bias', 'float32', ['out'])
  const output = graph.output(multiplyTransposed(graph, input, weight, added))
  const root = path.parse(weight.file).root
  const session = await InferenceSession.create(graph.encode(), {
    logSeverityLevel: 3,
    extra: { session: { model_external_initializers_file_folder_path: root } }
  })
  const feeds = { x: new Tensor('float32', x, [x.length / width, width]) }
  const result = await session.run(bias === null ? feeds : { ...feeds, bias: new Tensor('float32', bias, [bias.length]) })
  await session.release()
  return result[output]!.data as Float32Array
}

describe.each(['F32', 'F16', 'BF16'] as const)('%s', dtype => {
  test.each([
    { out: 12, width: 40, hasBias: true },
    { out: 1500, width: 1000, hasBias: true },
    { out: 1049, width: 1000, hasBias: false },
    // Four equal parts, and a number of rows that has none.
    { out: 4608, width: 40, hasBias: true },
    { out: 2309, width: 40, hasBias: false }
  ])('x @ weight.T with $out rows of $width, bias $hasBias', async ({ out, width, hasBias }) => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-weights-'))
    try {
      const file = path.join(folder, 'weights.bin')
      const values = Float32Array.from({ length: out * width }, (_, place) => valueAt(place))
      const stored = dtype === 'F32' ? values : Uint16Array.from(values, value => bitsOf(value, dtype))
      // The weight starts behind rows of another, at an odd offset.
      const before = 3 * width * stored.BYTES_PER_ELEMENT
      await fs.writeFile(file, Buffer.concat([Buffer.alloc(before + 5), Buffer.from(stored.buffer)]))
      const whole = { name: 'w', dtype, shape: [out + 3, width], file, offset: 5, byteLength: before + stored.byteLength }
      const x = Float32Array.from({ length: 2 * width }, (_, place) => valueAt(3 * place + 1))
      const bias = hasBias ? Float32Array.from({ length: out }, (_, place) => valueAt(place + 5)) : null

      const actual = await product(rowsOf(whole, 3, out + 3), x, width, bias)
      const expected = Array.from({ length: 2 * out }, (_, place) => {
        const [row, column] = [Math.floor(place / out), place % out]
        let sum = bias?.[column] ?? 0
        for (let i = 0; i < width; i++) sum += x[row * width + i]! * values[column * width + i]!
        return sum
      })
      expect(actual).toHaveLength(expected.length)
      expect(Math.max(...expected.map((value, place) => Math.abs(value - actual[place]!)))).toBeLessThan(1e-3)
    } finally {
      await fs.rm(folder, { recursive: true, force: true })
    }
  })
})
