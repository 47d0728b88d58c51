/** How a script loads a run's SAEs with SAELens 6. */
import type { SaeResult } from '../../contract/run.ts'
import { comment, py, pyString } from './literal.ts'

export type SaeLoading = { imports: string[]; helpers: string[]; code: string }

const gemmaScopeLoader = `def load_gemma_scope(path, hook_name):
    """An SAE of Gemma Scope from its params.npz on this disk."""
    with np.load(path) as params:
        weights = {name: torch.tensor(params[name], dtype=torch.float32) for name in params.files}
    d_in, d_sae = weights["W_enc"].shape
    cfg = JumpReLUSAEConfig(d_in=d_in, d_sae=d_sae, device=DEVICE, apply_b_dec_to_input=False)
    cfg.metadata.hook_name = hook_name
    sae = JumpReLUSAE(cfg)
    sae.load_state_dict(weights)
    return sae`

/** One SAE: by its names in SAELens, else from this disk; SAELens reads only its own folders from there, and Gemma Scope's npz by hand. */
export function loadSae(sae: SaeResult): SaeLoading {
  const { name, hook, path, release, format, normFactor } = sae
  const target = `saes[${pyString(name)}]`
  const folding =
    normFactor === null
      ? []
      : [
          comment(
            `Its input is scaled by ${normFactor.value} (${wherefrom[normFactor.from]}); from_pretrained folds the factor of a release itself.`
          ),
          `if ${target}.cfg.normalize_activations == "expected_average_only_in":\n    ${target}.fold_activation_norm_scaling_factor(${py(normFactor.value)})`
        ]
  if (release !== null) {
    const code = `${target} = SAE.from_pretrained(${pyString(release.name)}, ${pyString(release.saeId)}, device=DEVICE)`
    return { imports: ['from sae_lens import SAE'], helpers: [], code: [code, ...folding].join('\n') }
  }
  if (format === 'saelens') {
    const code = `${target} = SAE.load_from_disk(${pyString(path)}, device=DEVICE)`
    return { imports: ['from sae_lens import SAE'], helpers: [], code: [code, ...folding].join('\n') }
  }
  if (format === 'gemma-scope') {
    const file = path.endsWith('.npz') ? path : `${path.replace(/[\\/]+$/, '')}/params.npz`
    return {
      imports: ['import numpy as np', 'from sae_lens import JumpReLUSAE, JumpReLUSAEConfig'],
      helpers: [gemmaScopeLoader],
      code: `${target} = load_gemma_scope(${pyString(file)}, ${pyString(hook)})`
    }
  }
  return {
    imports: [],
    helpers: [],
    code: [
      comment(
        `${path} is in the format "${format}", which SAELens reads from the hub alone, and no release of SAELens is known that has it.`
      ),
      `raise SystemExit(${pyString(`Load the SAE ${name} (${path}) here: SAELens has no loader of ${format} folders.`)})`
    ].join('\n')
  }
}

const wherefrom = { file: 'from its files', release: 'from its release', chosen: 'chosen by hand' }
