/** Tiny checkpoints with made-up weights, written as Hugging Face folders for tests: any config, any of the names that transformers has used. */
import fs from 'node:fs/promises'
import path from 'node:path'
import type { Config, Tensor, Tensors } from './float64-forward.ts'

export type Dtype = 'F32' | 'F16' | 'BF16'

/** Numbers from -1 to 1, the same in every run (Park and Miller's generator). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48271) % 2147483647
    return (2 * state) / 2147483647 - 1
  }
}

/** The shapes of a model's tensors by the names of its main classes, without any prefix. */
function shapesOf(config: Config): Record<string, number[]> {
  const size = (field: string, byDefault = 0) => (typeof config[field] === 'number' ? config[field] : byDefault)
  const shapes: Record<string, number[]> = {}
  const linear = (name: string, out: number, columns: number, hasBias: boolean) => {
    shapes[`${name}.weight`] = [out, columns]
    if (hasBias) shapes[`${name}.bias`] = [out]
  }
  const norm = (name: string, width: number, hasBias: boolean) => {
    shapes[`${name}.weight`] = [width]
    if (hasBias) shapes[`${name}.bias`] = [width]
  }

  if (config.model_type === 'gpt2') {
    const [width, wide] = [size('n_embd'), size('n_inner', 4 * size('n_embd'))]
    const conv1d = (name: string, columns: number, out: number) => {
      shapes[`${name}.weight`] = [columns, out]
      shapes[`${name}.bias`] = [out]
    }
    shapes['wte.weight'] = [size('vocab_size'), width]
    shapes['wpe.weight'] = [size('n_positions'), width]
    for (let layer = 0; layer < size('n_layer'); layer++) {
      norm(`h.${layer}.ln_1`, width, true)
      conv1d(`h.${layer}.attn.c_attn`, width, 3 * width)
      conv1d(`h.${layer}.attn.c_proj`, width, width)
      norm(`h.${layer}.ln_2`, width, true)
      conv1d(`h.${layer}.mlp.c_fc`, width, wide)
      conv1d(`h.${layer}.mlp.c_proj`, wide, width)
    }
    norm('ln_f', width, true)
    return shapes
  }

  const [width, wide, heads] = [size('hidden_size'), size('intermediate_size'), size('num_attention_heads')]
  if (config.model_type === 'gpt_neox') {
    const hasBias = config.attention_bias !== false
    shapes['embed_in.weight'] = [size('vocab_size'), width]
    for (let layer = 0; layer < size('num_hidden_layers'); layer++) {
      norm(`layers.${layer}.input_layernorm`, width, true)
      norm(`layers.${layer}.post_attention_layernorm`, width, true)
      linear(`layers.${layer}.attention.query_key_value`, 3 * width, width, hasBias)
      linear(`layers.${layer}.attention.dense`, width, width, hasBias)
      linear(`layers.${layer}.mlp.dense_h_to_4h`, wide, width, true)
      linear(`layers.${layer}.mlp.dense_4h_to_h`, width, wide, true)
    }
    norm('final_layer_norm', width, true)
    return shapes
  }

  const type = String(config.model_type)
  const isSandwich = type.startsWith('gemma2') || type.startsWith('gemma3')
  const keyValueHeads = size('num_key_value_heads', heads)
  const dHead = size('head_dim', type === 'qwen3' ? 128 : width / heads)
  const hasBias = config.attention_bias === true
  shapes['embed_tokens.weight'] = [size('vocab_size'), width]
  for (let layer = 0; layer < size('num_hidden_layers'); layer++) {
    const attention = `layers.${layer}.self_attn`
    linear(`${attention}.q_proj`, heads * dHead, width, hasBias || type === 'qwen2')
    linear(`${attention}.k_proj`, keyValueHeads * dHead, width, hasBias || type === 'qwen2')
    linear(`${attention}.v_proj`, keyValueHeads * dHead, width, hasBias || type === 'qwen2')
    linear(`${attention}.o_proj`, width, heads * dHead, hasBias)
    if (type === 'qwen3' || type.startsWith('gemma3')) {
      norm(`${attention}.q_norm`, dHead, false)
      norm(`${attention}.k_norm`, dHead, false)
    }
    linear(`layers.${layer}.mlp.gate_proj`, wide, width, config.mlp_bias === true)
    linear(`layers.${layer}.mlp.up_proj`, wide, width, config.mlp_bias === true)
    linear(`layers.${layer}.mlp.down_proj`, width, wide, config.mlp_bias === true)
    norm(`layers.${layer}.input_layernorm`, width, false)
    norm(`layers.${layer}.post_attention_layernorm`, width, false)
    if (isSandwich) {
      norm(`layers.${layer}.pre_feedforward_layernorm`, width, false)
      norm(`layers.${layer}.post_feedforward_layernorm`, width, false)
    }
  }
  norm('norm', width, false)
  return shapes
}

/** Weights for a config: norms near what their family stores for a gain of one, all else large enough to matter. */
export function makeTensors(config: Config, prefix: string, heads: Readonly<Record<string, number[]>>, dtype: Dtype): Map<string, Tensor> {
  const next = generator(20240229)
  const isGemma = String(config.model_type).startsWith('gemma')
  // Numbers that every type holds exactly.
  const grid = (value: number) => Math.round(value * 64) / 64
  const exact = (value: number) => (dtype === 'F32' ? Math.fround(value) : grid(value))
  const named = Object.entries(shapesOf(config)).map(([name, shape]) => [prefix + name, shape] as const)
  return new Map(
    [...named, ...Object.entries(heads)].map(([name, shape]) => {
      const isGain = /(norm|ln_.)\.weight$/.test(name)
      const columns = name.includes('.c_') ? (shape[0] ?? 1) : (shape[1] ?? 1)
      const scale = shape.length === 1 ? 0.4 : /embed|wte|wpe/.test(name) ? 1 : 2 / Math.sqrt(columns)
      const data = Array.from({ length: shape.reduce((product, axis) => product * axis, 1) }, () =>
        exact(scale * next() + (isGain && !isGemma ? 1 : 0))
      )
      return [name, { shape, data }]
    })
  )
}

function bytesOf({ data }: Tensor, dtype: Dtype): Uint8Array {
  const singles = Float32Array.from(data)
  if (dtype === 'F32') return new Uint8Array(singles.buffer)
  const bits = new Uint32Array(singles.buffer)
  return new Uint8Array(Uint16Array.from(bits, word => (dtype === 'BF16' ? word >>> 16 : halfBits(word))).buffer)
}

/** The half with the value of a single, given by its bits, that a half holds exactly and that is not subnormal. */
function halfBits(word: number): number {
  const exponent = (word >>> 23) & 0xff
  if (exponent === 0) return 0
  return ((word >>> 16) & 0x8000) | ((exponent - 112) << 10) | ((word >>> 13) & 0x3ff)
}

/** Writes config.json and model.safetensors. `extra` are tensors that a model does not read, such as attention's buffers. */
export async function writeCheckpoint(folder: string, config: Config, tensors: Tensors, dtype: Dtype): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  const parts: Uint8Array[] = []
  let offset = 0
  for (const [name, tensor] of tensors) {
    const bytes = bytesOf(tensor, dtype)
    header[name] = { dtype, shape: tensor.shape, data_offsets: [offset, offset + bytes.length] }
    offset += bytes.length
    parts.push(bytes)
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  await fs.mkdir(folder, { recursive: true })
  await fs.writeFile(path.join(folder, 'config.json'), JSON.stringify(config, null, 2))
  await fs.writeFile(path.join(folder, 'model.safetensors'), Buffer.concat([length, json, ...parts]))
}
