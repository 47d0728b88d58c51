/** A made-up Llama with a long context and the demo's tokenizer, and an SAE for it: for prompts that the demo is too short for. */
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeTensors, writeCheckpoint } from '../src/main/transformer/reference/tiny-checkpoint.ts'
import { demo } from './command-line.ts'

const width = 16
const features = 64

/** Writes both below a folder; gives their paths. */
export async function makeLongContextModel(folder: string): Promise<{ model: string; sae: string }> {
  const config = {
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    vocab_size: 2048,
    hidden_size: width,
    intermediate_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 1,
    num_key_value_heads: 1,
    head_dim: 16,
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-6,
    rope_theta: 10000,
    hidden_act: 'silu',
    tie_word_embeddings: false,
    bos_token_id: 2,
    eos_token_id: 1
  }
  const model = join(folder, 'long-context')
  await writeCheckpoint(model, config, makeTensors(config, 'model.', { 'lm_head.weight': [2048, width] }, 'F32'), 'F32')
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) copyFileSync(join(demo.model, name), join(model, name))

  const sae = join(folder, 'sae')
  mkdirSync(sae, { recursive: true })
  const sine = (count: number, scale: number) => Array.from({ length: count }, (_, at) => scale * Math.sin(1 + at * 1.7))
  const tensors = new Map([
    ['W_enc', { shape: [width, features], data: sine(width * features, 1) }],
    ['b_enc', { shape: [features], data: Array.from({ length: features }, () => -0.5) }],
    ['W_dec', { shape: [features, width], data: sine(width * features, 0.2) }],
    ['b_dec', { shape: [width], data: Array.from({ length: width }, () => 0) }]
  ])
  await writeCheckpoint(sae, {}, tensors, 'F32')
  renameSync(join(sae, 'model.safetensors'), join(sae, 'sae_weights.safetensors'))
  const cfg = {
    architecture: 'standard',
    d_in: width,
    d_sae: features,
    dtype: 'float32',
    hook_name: 'blocks.0.hook_resid_post',
    hook_layer: 0,
    activation_fn_str: 'relu',
    apply_b_dec_to_input: false,
    finetuning_scaling_factor: false,
    normalize_activations: 'none',
    prepend_bos: true,
    context_size: 128
  }
  writeFileSync(join(sae, 'cfg.json'), JSON.stringify(cfg))
  renameSync(join(sae, 'config.json'), join(folder, 'unused.json'))
  return { model, sae }
}
