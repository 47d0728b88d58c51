/** Rotary position embedding, halves convention (Su et al. 2021 as in GPT-NeoX, Llama, Gemma). */
import type { Value } from '../onnx/graph.ts'
import type { PositionInput } from './family.ts'
import type { HookedGraph } from './hooked-graph.ts'

/** The first `2 * frequencies.length` features of each head turn; feature pair i by `position * frequencies[i]` radians. */
export interface Rotary {
  /** Its tables are the graph inputs `<table>.cos` and `<table>.sin`. */
  readonly table: string
  readonly frequencies: readonly number[]
}

/** What feeds the tables for the positions `[start, end)`, each [position, frequencies]: angles worked out in double precision. */
export function rotaryInputs({ table, frequencies }: Rotary, start: number, end: number): [string, PositionInput][] {
  const half = frequencies.length
  const length = end - start
  const of = (wave: (angle: number) => number): PositionInput => ({
    data: Float32Array.from({ length: length * half }, (_, place) =>
      wave((start + Math.floor(place / half)) * (frequencies[place % half] ?? 0))
    ),
    shape: [length, half]
  })
  return [
    [`${table}.cos`, of(Math.cos)],
    [`${table}.sin`, of(Math.sin)]
  ]
}

/** Rotates x [row, position, heads, dHead]. */
export function rotate(g: HookedGraph, x: Value, dHead: number, { table, frequencies }: Rotary): Value {
  const { graph } = g
  const half = frequencies.length
  if (half === 0) return x
  const tableOf = (part: 'cos' | 'sin') =>
    g.once(`${table}.${part}.heads`, () => graph.unsqueeze(graph.input(`${table}.${part}`, 'float32', ['position', half]), [1]))
  const [cos, sin] = [tableOf('cos'), tableOf('sin')]
  const [first, rest] = graph.splitLast(x, half, dHead - half)
  const [second, still] = dHead === 2 * half ? [rest, null] : graph.splitLast(rest, half, dHead - 2 * half)
  const turned = [
    graph.subtract(graph.multiply(first, cos), graph.multiply(second, sin)),
    graph.add(graph.multiply(second, cos), graph.multiply(first, sin))
  ]
  return graph.concatenate(still === null ? turned : [...turned, still], -1)
}
