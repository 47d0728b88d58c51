/**
 * A forward pass in double precision, written from transformers' modeling files for tests alone: plain loops, no graph, and
 * nothing shared with the families. It reads config.json's fields by itself.
 */

export interface Tensor {
  readonly shape: readonly number[]
  readonly data: ArrayLike<number>
}
export type Tensors = ReadonlyMap<string, Tensor>
export type Config = Readonly<Record<string, unknown>>

/** [position][feature]. */
type Rows = number[][]
type Elementwise = (x: number) => number

/**
 * What flows on from a place of a layer, by TransformerLens's short names: resid_pre, z (heads behind each other), attn_out, resid_mid,
 * mlp_out, resid_post. The activation itself where nothing is to be changed.
 */
export type Flow = (place: string, layer: number, activation: Rows) => Rows

/** Logits [position][vocabulary] of token ids. */
export function referenceLogits(config: Config, tensors: Tensors, ids: readonly number[], flow: Flow = (_place, _layer, x) => x): Rows {
  switch (config.model_type) {
    case 'gpt2':
      return gpt2(config, tensors, ids, flow)
    case 'gpt_neox':
      return gptNeox(config, tensors, ids, flow)
    default:
      return decoder(config, tensors, ids, flow)
  }
}

function gpt2(config: Config, tensors: Tensors, ids: readonly number[], flow: Flow): Rows {
  const t = below(tensors, tensors.has('transformer.wte.weight') ? 'transformer.' : '')
  const heads = number(config.n_head)
  const width = number(config.n_embd)
  const epsilon = number(config.layer_norm_epsilon, 1e-5)
  const act = activation(String(config.activation_function ?? 'gelu_new'))
  let x = ids.map((id, position) => sum(row(t('wte.weight'), id), row(t('wpe.weight'), position)))
  for (let layer = 0; layer < number(config.n_layer); layer++) {
    const h = (name: string) => t(`h.${layer}.${name}`)
    x = flow('resid_pre', layer, x)
    const qkv = conv1d(layerNorm(x, h('ln_1.weight'), h('ln_1.bias'), epsilon), h('attn.c_attn.weight'), h('attn.c_attn.bias'))
    const part = (index: number) => qkv.map(features => features.slice(index * width, (index + 1) * width))
    let scale = config.scale_attn_weights === false ? 1 : 1 / Math.sqrt(width / heads)
    if (config.scale_attn_by_inverse_layer_idx === true) scale /= layer + 1
    const mixed = flow('z', layer, attention(part(0), part(1), part(2), { heads, keyValueHeads: heads, scale, cap: null, window: null }))
    x = flow('resid_mid', layer, add(x, flow('attn_out', layer, conv1d(mixed, h('attn.c_proj.weight'), h('attn.c_proj.bias')))))
    const inner = conv1d(layerNorm(x, h('ln_2.weight'), h('ln_2.bias'), epsilon), h('mlp.c_fc.weight'), h('mlp.c_fc.bias'))
    const fed = flow('mlp_out', layer, conv1d(map(inner, act), h('mlp.c_proj.weight'), h('mlp.c_proj.bias')))
    x = flow('resid_post', layer, add(x, fed))
  }
  const head = config.tie_word_embeddings === false ? required(tensors, 'lm_head.weight') : t('wte.weight')
  return linear(layerNorm(x, t('ln_f.weight'), t('ln_f.bias'), epsilon), head)
}

function gptNeox(config: Config, tensors: Tensors, ids: readonly number[], flow: Flow): Rows {
  const t = below(tensors, tensors.has('gpt_neox.embed_in.weight') ? 'gpt_neox.' : '')
  const heads = number(config.num_attention_heads)
  const size = number(config.hidden_size) / heads
  const epsilon = number(config.layer_norm_eps, 1e-5)
  const act = activation(String(config.hidden_act ?? 'gelu'))
  const parameters = object(config.rope_scaling ?? config.rope_parameters)
  const inverse = inverseFrequencies(
    number(parameters.rope_theta ?? config.rotary_emb_base, 10000),
    Math.trunc(size * number(parameters.partial_rotary_factor ?? config.rotary_pct, 0.25)),
    parameters
  )
  const bias = (tensor: (name: string) => Tensor, name: string) => (config.attention_bias === false ? undefined : tensor(name))
  let x = ids.map(id => row(t('embed_in.weight'), id))
  for (let layer = 0; layer < number(config.num_hidden_layers); layer++) {
    const l = (name: string) => t(`layers.${layer}.${name}`)
    x = flow('resid_pre', layer, x)
    const normed = layerNorm(x, l('input_layernorm.weight'), l('input_layernorm.bias'), epsilon)
    const qkv = linear(normed, l('attention.query_key_value.weight'), bias(l, 'attention.query_key_value.bias'))
    const part = (index: number) =>
      qkv.map(features =>
        Array.from({ length: heads }, (_, head) => features.slice((3 * head + index) * size, (3 * head + index + 1) * size)).flat()
      )
    const options = { heads, keyValueHeads: heads, scale: 1 / Math.sqrt(size), cap: null, window: null }
    const mixed = flow('z', layer, attention(rotate(part(0), heads, inverse), rotate(part(1), heads, inverse), part(2), options))
    const attended = flow('attn_out', layer, linear(mixed, l('attention.dense.weight'), bias(l, 'attention.dense.bias')))
    const isSequential = config.use_parallel_residual === false
    const after = isSequential ? flow('resid_mid', layer, add(x, attended)) : add(x, attended)
    const read = isSequential ? after : x
    const normedRead = layerNorm(read, l('post_attention_layernorm.weight'), l('post_attention_layernorm.bias'), epsilon)
    const inner = map(linear(normedRead, l('mlp.dense_h_to_4h.weight'), l('mlp.dense_h_to_4h.bias')), act)
    x = flow(
      'resid_post',
      layer,
      add(after, flow('mlp_out', layer, linear(inner, l('mlp.dense_4h_to_h.weight'), l('mlp.dense_4h_to_h.bias'))))
    )
  }
  const untied = tensors.get('embed_out.weight') ?? tensors.get('lm_head.weight')
  const head = config.tie_word_embeddings === true || untied === undefined ? t('embed_in.weight') : untied
  return linear(layerNorm(x, t('final_layer_norm.weight'), t('final_layer_norm.bias'), epsilon), head)
}

/** Llama, Mistral, Qwen2, Qwen3, Gemma, Gemma-2, Gemma-3. */
function decoder(outer: Config, tensors: Tensors, ids: readonly number[], flow: Flow): Rows {
  const config = outer.text_config === undefined ? outer : object(outer.text_config)
  const type = String(outer.model_type).replace('_text', '')
  const isGemma = type.startsWith('gemma')
  const isSandwich = type === 'gemma2' || type === 'gemma3'
  const prefix = ['model.', 'language_model.model.', 'model.language_model.', 'language_model.', ''].find(candidate =>
    tensors.has(`${candidate}embed_tokens.weight`)
  )
  const t = below(tensors, prefix ?? '')
  const width = number(config.hidden_size, 2304)
  const heads = number(config.num_attention_heads, 8)
  const keyValueHeads = number(config.num_key_value_heads, type === 'llama' ? heads : 4)
  const dHead = number(config.head_dim, isGemma ? 256 : type === 'qwen3' ? 128 : width / heads)
  const epsilon = number(config.rms_norm_eps, 1e-6)
  const gelu = isGemma && (config.hidden_act === 'gelu' || config.hidden_act === undefined) ? 'gelu_pytorch_tanh' : config.hidden_act
  const act = activation(String(isGemma ? (config.hidden_activation ?? gelu) : (config.hidden_act ?? 'silu')))
  const scale = 1 / Math.sqrt(isSandwich ? number(config.query_pre_attn_scalar, 256) : dHead)
  const softCap = (field: string, byDefault: number) => {
    if (type === 'gemma2') return config[field] === null ? null : number(config[field], byDefault)
    return type === 'gemma3' && field === 'final_logit_softcapping' && typeof config[field] === 'number' ? config[field] : null
  }
  const attentionBias = type === 'qwen2' || config.attention_bias === true
  const outputBias = type !== 'qwen2' && config.attention_bias === true

  const isSliding = (layer: number): boolean => {
    if (type === 'mistral') return config.sliding_window !== null
    if (Array.isArray(config.layer_types)) return config.layer_types[layer] === 'sliding_attention'
    if (type === 'gemma2') return layer % 2 === 0
    if (type === 'gemma3') return (layer + 1) % number(config.sliding_window_pattern, 6) > 0
    return type.startsWith('qwen') && config.use_sliding_window === true && layer >= number(config.max_window_layers, 28)
  }
  const inverseOf = (layer: number): number[] => {
    if (type !== 'gemma3') {
      const trainedOn = { original_max_position_embeddings: config.max_position_embeddings }
      const parameters: Config = { ...trainedOn, ...object(config.rope_scaling ?? config.rope_parameters) }
      return inverseFrequencies(number(parameters.rope_theta ?? config.rope_theta, 10000), dHead, parameters)
    }
    const byType = object(config.rope_parameters)
    if (isSliding(layer)) {
      const parameters = object(byType.sliding_attention)
      return inverseFrequencies(number(parameters.rope_theta ?? config.rope_local_base_freq, 10000), dHead, parameters)
    }
    const parameters = { ...object(byType.full_attention), ...object(config.rope_scaling) }
    return inverseFrequencies(number(parameters.rope_theta ?? config.rope_theta, 1e6), dHead, parameters)
  }
  const norm = (x: Rows, weight: Tensor) =>
    rmsNorm(
      x,
      Array.from(weight.data, w => (isGemma ? 1 + w : w)),
      epsilon
    )

  let x = ids.map(id => row(t('embed_tokens.weight'), id).map(value => (isGemma ? value * Math.sqrt(width) : value)))
  for (let layer = 0; layer < number(config.num_hidden_layers); layer++) {
    const l = (name: string) => t(`layers.${layer}.${name}.weight`)
    const apply = (rows: Rows, name: string, hasBias: boolean) =>
      linear(rows, l(name), hasBias ? t(`layers.${layer}.${name}.bias`) : undefined)
    x = flow('resid_pre', layer, x)
    const normed = norm(x, l('input_layernorm'))
    const [q, k, v] = ['q', 'k', 'v'].map(part => apply(normed, `self_attn.${part}_proj`, attentionBias))
    const evened = (rows: Rows, name: string) => {
      if (type !== 'qwen3' && type !== 'gemma3') return rows
      return rows.map(features => norm(chunks(features, dHead), l(`self_attn.${name}`)).flat())
    }
    const turned = (rows: Rows | undefined, name: string, count: number) => rotate(evened(rows ?? [], name), count, inverseOf(layer))
    const window = isSliding(layer) ? number(config.sliding_window, 4096) : null
    const options = { heads, keyValueHeads, scale, cap: softCap('attn_logit_softcapping', 50), window }
    const mixed = flow('z', layer, attention(turned(q, 'q_norm', heads), turned(k, 'k_norm', keyValueHeads), v ?? [], options))
    const attended = apply(mixed, 'self_attn.o_proj', outputBias)
    x = flow('resid_mid', layer, add(x, flow('attn_out', layer, isSandwich ? norm(attended, l('post_attention_layernorm')) : attended)))
    const read = norm(x, l(isSandwich ? 'pre_feedforward_layernorm' : 'post_attention_layernorm'))
    const mlpBias = config.mlp_bias === true
    const gate = map(apply(read, 'mlp.gate_proj', mlpBias), act)
    const up = apply(read, 'mlp.up_proj', mlpBias)
    const inner = gate.map((features, position) => features.map((value, index) => value * at(at(up, position), index)))
    const fed = apply(inner, 'mlp.down_proj', mlpBias)
    x = flow('resid_post', layer, add(x, flow('mlp_out', layer, isSandwich ? norm(fed, l('post_feedforward_layernorm')) : fed)))
  }
  const isTied = outer.tie_word_embeddings ?? config.tie_word_embeddings ?? isGemma
  const untied = tensors.get('lm_head.weight') ?? tensors.get('language_model.lm_head.weight')
  const logits = linear(norm(x, t('norm.weight')), isTied || untied === undefined ? t('embed_tokens.weight') : untied)
  const cap = softCap('final_logit_softcapping', 30)
  return cap === null ? logits : map(logits, value => cap * Math.tanh(value / cap))
}

/** `_compute_*_parameters` of modeling_rope_utils.py. */
function inverseFrequencies(base: number, dim: number, parameters: Config): number[] {
  const inverse: number[] = []
  for (let i = 0; i < dim; i += 2) inverse.push(1 / base ** (i / dim))
  const type = parameters.rope_type ?? parameters.type ?? 'default'
  if (type === 'default') return inverse
  const factor = number(parameters.factor)
  if (type === 'linear') return inverse.map(frequency => frequency / factor)
  const low = number(parameters.low_freq_factor)
  const high = number(parameters.high_freq_factor)
  const original = number(parameters.original_max_position_embeddings)
  return inverse.map(frequency => {
    const wavelength = (2 * Math.PI) / frequency
    if (wavelength < original / high) return frequency
    if (wavelength > original / low) return frequency / factor
    const smooth = (original / wavelength - low) / (high - low)
    return ((1 - smooth) * frequency) / factor + smooth * frequency
  })
}

/** `apply_rotary_pos_emb` on the first 2 * inverse.length features of each head: x cos + rotate_half(x) sin. */
function rotate(x: Rows, heads: number, inverse: readonly number[]): Rows {
  const half = inverse.length
  return x.map((features, position) =>
    chunks(features, features.length / heads).flatMap(head =>
      head.map((value, index) => {
        if (index >= 2 * half) return value
        const angle = position * at(inverse, index % half)
        const other = index < half ? -at(head, index + half) : at(head, index - half)
        return value * Math.cos(angle) + other * Math.sin(angle)
      })
    )
  )
}

interface AttentionOptions {
  readonly heads: number
  readonly keyValueHeads: number
  readonly scale: number
  readonly cap: number | null
  readonly window: number | null
}

/** `eager_attention_forward` under a causal mask, of which a window keeps the last `window` keys. */
function attention(q: Rows, k: Rows, v: Rows, { heads, keyValueHeads, scale, cap, window }: AttentionOptions): Rows {
  const size = at(q, 0).length / heads
  return q.map((queries, position) =>
    chunks(queries, size).flatMap((query, head) => {
      const start = Math.floor(head / (heads / keyValueHeads)) * size
      const first = window === null ? 0 : Math.max(0, position - window + 1)
      const scores = k.slice(first, position + 1).map(keys => {
        const score = scale * dot(query, keys.slice(start, start + size))
        return cap === null ? score : cap * Math.tanh(score / cap)
      })
      const largest = Math.max(...scores)
      const weights = scores.map(score => Math.exp(score - largest))
      const total = weights.reduce((a, b) => a + b, 0)
      const mixed = new Array<number>(size).fill(0)
      weights.forEach((weight, key) => {
        for (let i = 0; i < size; i++) mixed[i] = at(mixed, i) + (weight / total) * at(at(v, first + key), start + i)
      })
      return mixed
    })
  )
}

function layerNorm(x: Rows, weight: Tensor, bias: Tensor, epsilon: number): Rows {
  return x.map(features => {
    const mean = features.reduce((a, b) => a + b, 0) / features.length
    const variance = features.reduce((total, value) => total + (value - mean) ** 2, 0) / features.length
    return features.map((value, i) => ((value - mean) / Math.sqrt(variance + epsilon)) * at(weight.data, i) + at(bias.data, i))
  })
}

function rmsNorm(x: Rows, gain: readonly number[], epsilon: number): Rows {
  return x.map(features => {
    const meanSquare = features.reduce((total, value) => total + value * value, 0) / features.length
    return features.map((value, i) => (value / Math.sqrt(meanSquare + epsilon)) * at(gain, i))
  })
}

/** nn.Linear: weight [out, in]. */
function linear(x: Rows, weight: Tensor, bias?: Tensor): Rows {
  const [out = 0, columns = 0] = weight.shape
  return x.map(features =>
    Array.from({ length: out }, (_, o) => {
      let total = bias === undefined ? 0 : at(bias.data, o)
      for (let i = 0; i < columns; i++) total += at(weight.data, o * columns + i) * at(features, i)
      return total
    })
  )
}

/** Conv1D: weight [in, out]. */
function conv1d(x: Rows, weight: Tensor, bias: Tensor): Rows {
  const [columns = 0, out = 0] = weight.shape
  return x.map(features =>
    Array.from({ length: out }, (_, o) => {
      let total = at(bias.data, o)
      for (let i = 0; i < columns; i++) total += at(weight.data, i * out + o) * at(features, i)
      return total
    })
  )
}

/** `ACT2FN`. */
function activation(name: string): Elementwise {
  switch (name) {
    case 'relu':
      return x => Math.max(0, x)
    case 'silu':
      return x => x / (1 + Math.exp(-x))
    case 'gelu':
      return x => 0.5 * x * (1 + errorFunction(x / Math.SQRT2))
    case 'gelu_new':
    case 'gelu_pytorch_tanh':
      return x => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
    default:
      throw new Error(`the reference has no ${name}`)
  }
}

/** The Taylor series, good to 1e-9 below 4; beyond it is 1 to 2e-8. */
function errorFunction(x: number): number {
  if (Math.abs(x) > 4) return Math.sign(x)
  let term = x
  let total = x
  for (let n = 1; n < 100; n++) {
    term *= (-x * x) / n
    total += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * total
}

function at<T>(values: ArrayLike<T>, index: number): T {
  const value = values[index]
  if (value === undefined) throw new Error(`there is no element ${index} of ${values.length}`)
  return value
}
function number(value: unknown, byDefault?: number): number {
  if (typeof value === 'number') return value
  if (byDefault === undefined) throw new Error('the config lacks a number')
  return byDefault
}
function object(value: unknown): Config {
  return { ...(value ?? {}) }
}
function required(tensors: Tensors, name: string): Tensor {
  const tensor = tensors.get(name)
  if (tensor === undefined) throw new Error(`the reference finds no ${name}`)
  return tensor
}
function below(tensors: Tensors, prefix: string): (name: string) => Tensor {
  return name => required(tensors, prefix + name)
}
function row({ shape, data }: Tensor, index: number): number[] {
  const width = shape[1] ?? 0
  return Array.from({ length: width }, (_, i) => at(data, index * width + i))
}
function chunks(values: readonly number[], size: number): Rows {
  return Array.from({ length: values.length / size }, (_, index) => values.slice(index * size, (index + 1) * size))
}
function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((total, value, i) => total + value * at(b, i), 0)
}
function sum(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => value + at(b, i))
}
function add(a: Rows, b: Rows): Rows {
  return a.map((features, position) => sum(features, at(b, position)))
}
function map(x: Rows, f: Elementwise): Rows {
  return x.map(features => features.map(f))
}
