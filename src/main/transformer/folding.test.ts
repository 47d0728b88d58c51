/**
 * That weight processing is algebra on activations: whatever stands at a hook point, what comes next is what TransformerLens's
 * processed weights (fixtures/golden/tl_state) make of it. The values here have means and norms that no model gives, as an
 * SAE's output may.
 */
import { Tensor } from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { processingFlag } from '../../contract/run.ts'
import { openCheckpoint } from '../checkpoint/checkpoint.ts'
import { golden, index, tensorsOf, type Values } from '../inference/golden/golden-data.ts'
import { cpu, createSession } from '../inference/sessions.ts'
import { GraphBuilder, type Value } from '../onnx/graph.ts'
import { mapAsFloat32 } from '../onnx/weights.ts'
import type { Transformer } from './family.ts'
import type { HookedGraph, HookShape } from './hooked-graph.ts'
import { readTransformer } from './registry.ts'

const positions = 5
/** Variants of a run are rows; those of the values here differ. */
const rows = 2
/** The prompt is the ids from here on. */
const firstId = 3

/** Numbers from 1 to 4, the same in every run (Park and Miller's generator). */
function numbersFromOneToFour(count: number): Float32Array {
  let state = 1
  return Float32Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647
    return 1 + (3 * state) / 2147483647
  })
}

/** A graph in which other values stand at some hook points, and what is wanted of the others is an output. */
class ReplacingGraph implements HookedGraph {
  readonly holdsSequences = false
  readonly graph = new GraphBuilder()
  readonly outputs = new Map<string, string>()
  readonly replacements = new Map<string, Values>()
  readonly #replaced: (name: string) => boolean
  readonly #shared = new Map<string, Value>()

  constructor(replaced: (name: string) => boolean) {
    this.#replaced = replaced
  }

  hook(name: string, value: Value, shape: HookShape): Value {
    if (!this.#replaced(name)) {
      this.outputs.set(name, this.graph.output(value))
      return value
    }
    const sizes = [rows, ...shape.map(axis => (typeof axis === 'number' ? axis : positions))]
    this.replacements.set(name, { shape: sizes, data: numbersFromOneToFour(sizes.reduce((product, size) => product * size)) })
    return this.graph.input(name, 'float32', sizes)
  }

  unfolded(_name: string, value: Value): Value {
    return value
  }

  once(name: string, make: () => Value): Value {
    const value = this.#shared.get(name) ?? make()
    this.#shared.set(name, value)
    return value
  }

  async run(transformer: Transformer): Promise<Map<string, Values>> {
    const session = await createSession(this.graph.encode(), cpu)
    const ids = BigInt64Array.from({ length: positions }, (_, position) => BigInt(firstId + position))
    const feeds = new Map<string, Tensor>([['ids', new Tensor('int64', ids, [1, positions])]])
    for (const [name, { data, shape }] of transformer.positionInputs(0, positions)) feeds.set(name, new Tensor('float32', data, shape))
    for (const [name, { data, shape }] of this.replacements) feeds.set(name, new Tensor('float32', data, shape))
    const used = this.graph.inputNames
    const outputs = await session.run(Object.fromEntries([...feeds].filter(([name]) => used.includes(name))), [...this.outputs.values()])
    await session.release()
    return new Map(
      [...this.outputs].map(([name, output]) => {
        const tensor = outputs[output]!
        return [name, { shape: tensor.dims, data: tensor.data as Float32Array }]
      })
    )
  }
}

/** Rows of x times W [rows, columns] plus b, in double precision. */
function affine(x: ArrayLike<number>, weight: ArrayLike<number>, bias: ArrayLike<number>): number[] {
  const columns = bias.length
  const rows = weight.length / columns
  return Array.from({ length: (x.length / rows) * columns }, (_, place) => {
    const [row, column] = [Math.floor(place / columns), place % columns]
    let sum = bias[column]!
    for (let i = 0; i < rows; i++) sum += x[row * rows + i]! * weight[i * columns + column]!
    return sum
  })
}

/** [heads, rows, dHead] as [rows, heads * dHead]. */
function headsSideBySide({ shape, data }: Values): number[] {
  const [heads = 0, rows = 0, dHead = 0] = shape
  return Array.from({ length: data.length }, (_, place) => {
    const [row, column] = [Math.floor(place / (heads * dHead)), place % (heads * dHead)]
    return data[(Math.floor(column / dHead) * rows + row) * dHead + (column % dHead)]!
  })
}

function expectEqual(name: string, actual: Values | undefined, expected: ArrayLike<number>): void {
  expect(actual?.data.length, name).toBe(expected.length)
  const largest = Math.max(...Array.from(expected, Math.abs))
  const worst = Math.max(...Array.from(expected, (value, place) => Math.abs(value - (actual?.data[place] ?? Number.NaN))))
  expect(worst, name).toBeLessThanOrEqual(1e-5 + 1e-5 * largest)
}

test('the golden data has folded weights of a LayerNorm family, of one with value biases, and of one with post-norms', () => {
  expect(index.tl_state.map(({ model }) => model).sort()).toEqual(['gemma2-tiny', 'gpt2-tiny', 'qwen2-tiny'])
})

describe.each(index.tl_state)('$model, $variant', ({ model, file }) => {
  test('what follows any value at a hook point is what the folded weights make of it', async () => {
    const transformer = readTransformer(await openCheckpoint(golden('models', model)), {
      processing: new Set(processingFlag.options),
      layerOrder: 'checkpoint',
      hookMlpIn: true
    })
    const folded = await tensorsOf(golden(file))
    const weight = (name: string) => folded.get(name) ?? folded.get(name.replace(/attn\.(?=[Wb])/, 'attn._'))!
    const replaced = (name: string) => /ln1\.hook_normalized|ln_final\.hook_normalized|mlp\.hook_in|mlp\.hook_post|attn\.hook_z$/.test(name)
    const g = new ReplacingGraph(replaced)
    let residual = transformer.embed(g)
    for (let layer = 0; layer < transformer.shape.layers; layer++) residual = transformer.block(g, layer, residual)
    const final = transformer.finalNorm(g, residual)
    const unembedding = mapAsFloat32(g.graph, transformer.unembedding.weight)
    g.outputs.set('logits', g.graph.output(g.graph.matmul(final, g.graph.transpose(unembedding, [1, 0]))))
    const actual = await g.run(transformer)
    const at = (name: string) => g.replacements.get(name)!.data
    const postNorms = folded.has('blocks.0.ln1_post.w')

    const { dModel, vocabulary } = transformer.shape
    const embedding = weight('embed.W_E').data
    expectEqual('hook_embed', actual.get('hook_embed'), embedding.subarray(firstId * dModel, (firstId + positions) * dModel))
    const placed = folded.get('pos_embed.W_pos')
    if (placed !== undefined) expectEqual('hook_pos_embed', actual.get('hook_pos_embed'), placed.data.subarray(0, positions * dModel))

    for (let layer = 0; layer < transformer.shape.layers; layer++) {
      const block = `blocks.${layer}`
      const normalized = at(`${block}.ln1.hook_normalized`)
      for (const part of ['Q', 'K', 'V']) {
        const [matrix, bias] = [weight(`${block}.attn.W_${part}`), weight(`${block}.attn.b_${part}`)]
        const name = `${block}.attn.hook_${part.toLowerCase()}`
        expectEqual(name, actual.get(name), affine(normalized, headsSideBySide(matrix), bias.data))
      }
      const gate = folded.get(`${block}.mlp.W_gate`)
      const wide = weight(`${block}.mlp.b_in`).data
      const mlpIn = at(`${block}.mlp.hook_in`)
      const pre = gate === undefined ? affine(mlpIn, weight(`${block}.mlp.W_in`).data, wide) : affine(mlpIn, gate.data, wide)
      expectEqual(`${block}.mlp.hook_pre`, actual.get(`${block}.mlp.hook_pre`), pre)
      if (gate !== undefined) {
        const linear = affine(mlpIn, weight(`${block}.mlp.W_in`).data, wide)
        expectEqual(`${block}.mlp.hook_pre_linear`, actual.get(`${block}.mlp.hook_pre_linear`), linear)
      }
      // Behind a post-norm the products are not seen.
      if (postNorms) continue
      const attnOut = affine(at(`${block}.attn.hook_z`), weight(`${block}.attn.W_O`).data, weight(`${block}.attn.b_O`).data)
      expectEqual(`${block}.hook_attn_out`, actual.get(`${block}.hook_attn_out`), attnOut)
      const mlpOut = affine(at(`${block}.mlp.hook_post`), weight(`${block}.mlp.W_out`).data, weight(`${block}.mlp.b_out`).data)
      expectEqual(`${block}.hook_mlp_out`, actual.get(`${block}.hook_mlp_out`), mlpOut)
    }

    // center_unembed comes after the logits; see prediction-graph.ts.
    const logits = actual.get('logits')!.data
    const { isCentred } = transformer.unembedding
    for (let start = 0; start < logits.length && isCentred; start += vocabulary) {
      const row = logits.subarray(start, start + vocabulary)
      const mean = row.reduce((sum, value) => sum + value, 0) / vocabulary
      row.forEach((value, id) => {
        row[id] = value - mean
      })
    }
    const expected = affine(at('ln_final.hook_normalized'), weight('unembed.W_U').data, weight('unembed.b_U').data)
    expectEqual('logits', actual.get('logits'), expected)
  })
})
