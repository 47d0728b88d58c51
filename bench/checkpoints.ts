/** Checkpoints and SAEs of real shapes with random weights, for measurements: as large as the real ones, and worth nothing else. */
import fs from 'node:fs'
import path from 'node:path'

export const floatTypes = ['F32', 'F16', 'BF16'] as const
export type FloatType = (typeof floatTypes)[number]

/** Sizes of a model. `kind` is the architecture, `keyValueHeads` Gemma-2's alone. */
export interface Shape {
  readonly kind: 'gemma2' | 'gpt2'
  readonly layers: number
  readonly width: number
  readonly mlp: number
  readonly heads: number
  readonly keyValueHeads: number
  readonly head: number
  readonly vocabulary: number
  /** Features of the SAE beside it. */
  readonly features: number
}

const gemma2 = {
  kind: 'gemma2',
  width: 2304,
  mlp: 9216,
  heads: 8,
  keyValueHeads: 4,
  head: 256,
  vocabulary: 256_000,
  features: 16_384
} as const

export const shapes: Readonly<Record<string, Shape>> = {
  small: { kind: 'gemma2', layers: 8, width: 512, mlp: 2048, heads: 8, keyValueHeads: 4, head: 64, vocabulary: 32_000, features: 4096 },
  'small-26-layers': {
    kind: 'gemma2',
    layers: 26,
    width: 512,
    mlp: 2048,
    heads: 8,
    keyValueHeads: 4,
    head: 64,
    vocabulary: 32_000,
    features: 4096
  },
  'gemma-2-2b-8-layers': { ...gemma2, layers: 8 },
  'gemma-2-2b': { ...gemma2, layers: 26 },
  'gpt2-small': {
    kind: 'gpt2',
    layers: 12,
    width: 768,
    mlp: 3072,
    heads: 12,
    keyValueHeads: 12,
    head: 64,
    vocabulary: 50_257,
    features: 24_576
  }
}

/** The shape of that name. Throws where there is none. */
export function shapeNamed(name: string): Shape {
  const shape = shapes[name]
  if (shape === undefined) throw new Error(`--shape ${name} is none of ${Object.keys(shapes).join(', ')}`)
  return shape
}

/** Token ids of a prompt: BOS, then others that do not repeat early. */
export function promptIds({ vocabulary }: Shape, tokens: number): number[] {
  return Array.from({ length: tokens }, (_, at) => (at === 0 ? 2 : 3 + ((at * 7919) % (vocabulary - 3))))
}

/** The hook point after three quarters of the layers. */
export function spliceHook({ layers }: Shape): string {
  return `blocks.${spliceLayer(layers)}.hook_resid_post`
}

/** The layer whose end is at three quarters of the depth: 5 of 8, and 20 of 26 as Gemma Scope has it. */
export function spliceLayer(layers: number): number {
  return layers === 26 ? 20 : Math.ceil((3 * layers) / 4) - 1
}

/** Multiplications and additions of matrices, 1e9: of blocks and SAEs (encoder and decoder) over positions, and of the unembedding. */
export function arithmetic(shape: Shape, of: { blocks: number; saes: number; unembedded: number; tokens: number }): number {
  const { width, head, heads, keyValueHeads, mlp, features, vocabulary, kind } = shape
  const block = 2 * width * head * (heads + keyValueHeads) + (kind === 'gemma2' ? 3 : 2) * width * mlp
  return (2 * (of.tokens * (of.blocks * block + of.saes * 2 * width * features) + of.unembedded * vocabulary * width)) / 1e9
}

interface TensorToWrite {
  readonly name: string
  readonly shape: readonly number[]
  /** One value for all of it; noise without. */
  readonly fill?: number
}

/** Writes a model, and beside it an SAE for its hook point at three quarters of the depth. Gives their folders. */
export function writeCheckpoint(folder: string, shape: Shape, type: FloatType): { model: string; sae: string } {
  const model = path.join(folder, 'model')
  const sae = path.join(folder, 'sae')
  fs.mkdirSync(model, { recursive: true })
  fs.mkdirSync(sae, { recursive: true })
  fs.writeFileSync(path.join(model, 'config.json'), JSON.stringify(configs[shape.kind](shape, type)))
  writeTensors(path.join(model, 'model.safetensors'), tensors[shape.kind](shape), type)
  const { width, features, layers } = shape
  const cfg = {
    architecture: 'standard',
    d_in: width,
    d_sae: features,
    dtype: 'float32',
    hook_name: spliceHook(shape),
    hook_layer: spliceLayer(layers),
    activation_fn_str: 'relu',
    apply_b_dec_to_input: false,
    finetuning_scaling_factor: false,
    normalize_activations: 'none',
    prepend_bos: true,
    context_size: 128
  }
  fs.writeFileSync(path.join(sae, 'cfg.json'), JSON.stringify(cfg))
  writeTensors(
    path.join(sae, 'sae_weights.safetensors'),
    [
      { name: 'W_enc', shape: [width, features] },
      { name: 'b_enc', shape: [features], fill: 0 },
      { name: 'W_dec', shape: [features, width] },
      { name: 'b_dec', shape: [width], fill: 0 }
    ],
    'F32'
  )
  return { model, sae }
}

const dtypes = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const

const configs = {
  gemma2: ({ layers, width, mlp, heads, keyValueHeads, head, vocabulary }: Shape, type: FloatType) => ({
    architectures: ['Gemma2ForCausalLM'],
    model_type: 'gemma2',
    torch_dtype: dtypes[type],
    attention_bias: false,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
    bos_token_id: 2,
    eos_token_id: 1,
    pad_token_id: 0,
    head_dim: head,
    hidden_activation: 'gelu_pytorch_tanh',
    hidden_size: width,
    intermediate_size: mlp,
    max_position_embeddings: 8192,
    num_attention_heads: heads,
    num_hidden_layers: layers,
    num_key_value_heads: keyValueHeads,
    query_pre_attn_scalar: head,
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    sliding_window: 4096,
    vocab_size: vocabulary
  }),
  gpt2: ({ layers, width, mlp, heads, vocabulary }: Shape, type: FloatType) => ({
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    torch_dtype: dtypes[type],
    activation_function: 'gelu_new',
    layer_norm_epsilon: 1e-5,
    n_embd: width,
    n_head: heads,
    n_inner: mlp,
    n_layer: layers,
    n_positions: 1024,
    vocab_size: vocabulary
  })
}

const tensors = {
  gemma2: ({ layers, width, mlp, heads, keyValueHeads, head, vocabulary }: Shape): TensorToWrite[] => [
    { name: 'model.embed_tokens.weight', shape: [vocabulary, width] },
    ...Array.from({ length: layers }, (_, at) => {
      const name = (rest: string) => `model.layers.${at}.${rest}.weight`
      const norms = ['input_layernorm', 'post_attention_layernorm', 'pre_feedforward_layernorm', 'post_feedforward_layernorm']
      return [
        ...norms.map(norm => ({ name: name(norm), shape: [width], fill: 0 })),
        { name: name('self_attn.q_proj'), shape: [heads * head, width] },
        { name: name('self_attn.k_proj'), shape: [keyValueHeads * head, width] },
        { name: name('self_attn.v_proj'), shape: [keyValueHeads * head, width] },
        { name: name('self_attn.o_proj'), shape: [width, heads * head] },
        { name: name('mlp.gate_proj'), shape: [mlp, width] },
        { name: name('mlp.up_proj'), shape: [mlp, width] },
        { name: name('mlp.down_proj'), shape: [width, mlp] }
      ]
    }).flat(),
    { name: 'model.norm.weight', shape: [width], fill: 0 }
  ],
  gpt2: ({ layers, width, mlp, vocabulary }: Shape): TensorToWrite[] => [
    { name: 'wte.weight', shape: [vocabulary, width] },
    { name: 'wpe.weight', shape: [1024, width] },
    ...Array.from({ length: layers }, (_, at) => [
      { name: `h.${at}.ln_1.weight`, shape: [width], fill: 1 },
      { name: `h.${at}.ln_1.bias`, shape: [width], fill: 0 },
      { name: `h.${at}.attn.c_attn.weight`, shape: [width, 3 * width] },
      { name: `h.${at}.attn.c_attn.bias`, shape: [3 * width], fill: 0 },
      { name: `h.${at}.attn.c_proj.weight`, shape: [width, width] },
      { name: `h.${at}.attn.c_proj.bias`, shape: [width], fill: 0 },
      { name: `h.${at}.ln_2.weight`, shape: [width], fill: 1 },
      { name: `h.${at}.ln_2.bias`, shape: [width], fill: 0 },
      { name: `h.${at}.mlp.c_fc.weight`, shape: [width, mlp] },
      { name: `h.${at}.mlp.c_fc.bias`, shape: [mlp], fill: 0 },
      { name: `h.${at}.mlp.c_proj.weight`, shape: [mlp, width] },
      { name: `h.${at}.mlp.c_proj.bias`, shape: [width], fill: 0 }
    ]).flat(),
    { name: 'ln_f.weight', shape: [width], fill: 1 },
    { name: 'ln_f.bias', shape: [width], fill: 0 }
  ]
}

/** A million numbers of a fixed noise, around zero, at most 0.035. */
function makeNoise(): Float32Array {
  const noise = new Float32Array(1 << 20)
  let state = 1
  for (const at of noise.keys()) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    noise[at] = (state / 2 ** 32 - 0.5) * 0.07
  }
  return noise
}

/** The bytes of float32 numbers in another type. bfloat16 is their upper half. */
function encoded(numbers: Float32Array, type: FloatType): Uint8Array {
  if (type === 'F32') return new Uint8Array(numbers.buffer)
  if (type === 'F16') return new Uint8Array(new Float16Array(numbers).buffer)
  return new Uint8Array(new Uint16Array(numbers.buffer).filter((_, at) => at % 2 === 1).buffer)
}

/** A safetensors file, written piece by piece. */
function writeTensors(file: string, list: readonly TensorToWrite[], type: FloatType): void {
  const noise = makeNoise()
  const width = type === 'F32' ? 4 : 2
  let offset = 0
  const header: Record<string, unknown> = {}
  for (const { name, shape } of list) {
    const bytes = width * shape.reduce((product, size) => product * size, 1)
    header[name] = { dtype: type, shape, data_offsets: [offset, offset + bytes] }
    offset += bytes
  }
  const text = Buffer.from(JSON.stringify(header).padEnd(8 * Math.ceil(JSON.stringify(header).length / 8)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const handle = fs.openSync(file, 'w')
  try {
    fs.writeSync(handle, length)
    fs.writeSync(handle, text)
    const noisy = encoded(noise, type)
    for (const { shape, fill } of list) {
      const source = fill === undefined ? noisy : encoded(new Float32Array(noise.length).fill(fill), type)
      let left = width * shape.reduce((product, size) => product * size, 1)
      for (; left > 0; left -= source.byteLength) fs.writeSync(handle, source.subarray(0, Math.min(source.byteLength, left)))
    }
  } finally {
    fs.closeSync(handle)
  }
}
