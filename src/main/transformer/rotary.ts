/** Rotary position embedding, halves convention (Su et al. 2021 as in GPT-NeoX, Llama, Gemma). */
import type { Value } from '../onnx/graph.ts'
import type { HookedGraph } from './hooked-graph.ts'

/** cos and sin [positions, dHead / 2] for positions from zero: angle = position / base^(2i / dHead), worked out in double precision. */
export function rotaryTables(positions: number, dHead: number, base: number): { cos: Float32Array; sin: Float32Array } {
  const half = dHead / 2
  const cos = new Float32Array(positions * half)
  const sin = new Float32Array(positions * half)
  for (let i = 0; i < half; i++) {
    const frequency = base ** ((-2 * i) / dHead)
    for (let position = 0; position < positions; position++) {
      cos[position * half + i] = Math.cos(position * frequency)
      sin[position * half + i] = Math.sin(position * frequency)
    }
  }
  return { cos, sin }
}

/** Rotates x [row, position, heads, dHead] by the graph inputs `<table>.cos` and `<table>.sin`. */
export function rotate(g: HookedGraph, x: Value, dHead: number, table: string): Value {
  const { graph } = g
  const [cos, sin] = (['cos', 'sin'] as const).map(part =>
    g.once(`${table}.${part}.heads`, () => graph.unsqueeze(graph.input(`${table}.${part}`, 'float32', ['position', dHead / 2]), [1]))
  )
  if (cos === undefined || sin === undefined) throw new Error('a table has cos and sin')
  const [first, second] = graph.halves(x)
  return graph.concatenate(
    [
      graph.subtract(graph.multiply(first, cos), graph.multiply(second, sin)),
      graph.add(graph.multiply(second, cos), graph.multiply(first, sin))
    ],
    -1
  )
}
