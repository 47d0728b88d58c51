/** How a script loads a run's model, for TransformerLens 2 and 3. */
import type { ModelConfig } from '../../contract/configs.ts'
import { type ProcessingFlag, processingFlag } from '../../contract/run.ts'
import type { ExportedRun } from '../run-export.ts'
import { comment, type Literal, py } from './literal.ts'

/** What is known of the model on this disk: its config in HookedTransformerConfig's names; null where it is no longer there. */
export type KnownConfig = Pick<ModelConfig, 'config' | 'architecture'> | null

/** A repository of the hub, from a path in the Hugging Face cache; null for any other folder. */
export function repositoryOf(path: string): { repo: string; revision: string } | null {
  const [, name, revision] = /[\\/]models--([^\\/]+)[\\/]snapshots[\\/]([0-9a-f]{7,64})[\\/]?$/.exec(path) ?? []
  return name === undefined || revision === undefined ? null : { repo: name.replace('--', '/'), revision }
}

/** Where the model is from, as a script's first lines say it. */
export function modelConstant({ result }: ExportedRun): string {
  const repository = repositoryOf(result.model.path)
  if (repository === null) return `MODEL = ${py(result.model.path)}`
  return `MODEL = ${py(repository.repo)}\n${comment(`Revision ${repository.revision} of the repository was run.`)}`
}

const flagsOf = ({ result }: ExportedRun): Record<ProcessingFlag, boolean> => {
  const { processing } = result
  return {
    fold_ln: processing.includes('fold_ln'),
    center_writing_weights: processing.includes('center_writing_weights'),
    center_unembed: processing.includes('center_unembed'),
    fold_value_biases: processing.includes('fold_value_biases')
  }
}

const keywords = (values: Readonly<Record<string, Literal>>, indent: number) =>
  Object.entries(values)
    .map(([name, value]) => `${' '.repeat(indent)}${name}=${py(value, indent)},\n`)
    .join('')

/** What local and global layers of this run mean for a script; null where the family has none or no order is in doubt. */
function layerOrderRemark({ result }: ExportedRun, ours: 'checkpoint' | 'transformer-lens', whose: string): string | null {
  if (result.layerOrder === ours) return null
  return comment(
    `Layer order: this run took ${result.layerOrder === 'checkpoint' ? "the checkpoint's" : "TransformerLens's"} order of local and global attention layers, and ${whose} takes the other one where a family alternates them (Gemma-2). The numbers are the same for prompts within the local window (4,096 tokens for Gemma-2) and differ beyond it.`
  )
}

/**
 * TransformerLens 2.18. `HookedTransformer.from_pretrained` takes repositories that it knows and no folders, so a folder's
 * HookedTransformerConfig is written out, as Splice read it.
 */
export function loadWithTransformerLens2(run: ExportedRun, known: KnownConfig): { imports: string[]; code: string } {
  const flags = flagsOf(run)
  const repository = repositoryOf(run.result.model.path)
  if (repository !== null || known?.config == null) {
    const remark = isAlternating(known) ? layerOrderRemark(run, 'transformer-lens', 'HookedTransformer.from_pretrained') : null
    const noConfig =
      repository === null
        ? comment(
            'TransformerLens 2 loads repositories that it knows by name, and the config of this folder could not be read when this script was written: name the repository that the folder is a copy of.'
          )
        : null
    const load = `model = HookedTransformer.from_pretrained(\n    MODEL,\n${keywords(flags, 4)}    device=DEVICE,\n    dtype=torch.float32,\n)`
    return {
      imports: ['from transformer_lens import HookedTransformer'],
      code: [remark, noConfig, load].filter(part => part !== null).join('\n')
    }
  }
  // TransformerLens counts the parameters itself; what is undefined keeps its default.
  const own = Object.fromEntries(
    Object.entries(known.config).filter(([name, value]) => name !== 'n_params' && name !== 'normalization_type' && value !== null)
  ) as Record<string, Literal>
  const { normalization_type, output_logits_soft_cap } = known.config
  const alternating = own.attn_types
  if (Array.isArray(alternating) && run.result.layerOrder === 'transformer-lens') {
    own.attn_types = alternating.map(type => (type === 'local' ? 'global' : 'local'))
  }
  const isCapped = typeof output_logits_soft_cap === 'number' && output_logits_soft_cap > 0
  const config = {
    ...own,
    normalization_type: `${String(normalization_type)}${flags.fold_ln ? 'Pre' : ''}`,
    original_architecture: known.architecture ?? own.original_architecture ?? null
  }
  const code = [
    comment('HookedTransformer.from_pretrained takes no folder, so this is what it does, with the config as Splice read it.'),
    ...(Array.isArray(alternating)
      ? [
          comment(
            `attn_types are in ${run.result.layerOrder === 'checkpoint' ? "the checkpoint's" : "TransformerLens's"} order, as the run was.`
          )
        ]
      : []),
    `cfg = HookedTransformerConfig(\n${keywords(config, 4)}    tokenizer_name=MODEL,\n    device=DEVICE,\n    dtype=torch.float32,\n)`,
    'hf_model = AutoModelForCausalLM.from_pretrained(MODEL, torch_dtype=torch.float32)',
    'state_dict = get_pretrained_state_dict(MODEL, cfg, hf_model, dtype=torch.float32)',
    'model = HookedTransformer(cfg)',
    ...(isCapped && flags.center_unembed
      ? [comment('center_unembed is left out where logits are soft-capped, as from_pretrained does.')]
      : []),
    `model.load_and_process_state_dict(\n    state_dict,\n${keywords({ ...flags, center_unembed: flags.center_unembed && !isCapped }, 4)})`
  ].join('\n')
  return {
    imports: [
      'from transformer_lens import HookedTransformer, HookedTransformerConfig',
      'from transformer_lens.loading_from_pretrained import get_pretrained_state_dict',
      'from transformers import AutoModelForCausalLM'
    ],
    code
  }
}

/** Whether some layers of a family attend locally and others do not; true where nothing is known. */
function isAlternating(known: KnownConfig): boolean {
  if (known?.config == null) return true
  const types = known.config.attn_types
  return Array.isArray(types) && new Set(types).size > 1
}

/** TransformerLens 3.5, whose bridge runs transformers' own code; processing is asked for after loading. */
export function loadWithTransformerLens3(run: ExportedRun, known: KnownConfig): { imports: string[]; code: string } {
  const flags = flagsOf(run)
  const isPlain = processingFlag.options.every(flag => !flags[flag])
  const compatibility = isPlain
    ? 'model.enable_compatibility_mode(no_processing=True)'
    : `model.enable_compatibility_mode(\n${keywords(flags, 4)})`
  const remark = isAlternating(known) ? layerOrderRemark(run, 'checkpoint', "TransformerBridge (transformers' own code)") : null
  const code = [
    ...(remark === null ? [] : [remark]),
    'model = TransformerBridge.boot_transformers(MODEL, device=DEVICE, dtype=torch.float32)',
    comment("Hook points by HookedTransformer's names, and the weight processing that the run had."),
    compatibility
  ].join('\n')
  return { imports: ['from transformer_lens.model_bridge import TransformerBridge'], code }
}
