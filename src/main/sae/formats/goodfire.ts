/**
 * Goodfire's SAEs (Goodfire/Llama-3.1-8B-Instruct-SAE-l19): one torch file with the linear layers `encoder_linear` and
 * `decoder_linear`, and no config. Its name says the layer whose residual stream it reads; relu, b_dec is not subtracted.
 */
import { readReluPair } from './deepseek-r1.ts'
import type { SaeFormat } from './format.ts'

export const goodfire: SaeFormat = {
  name: 'goodfire',
  description: 'Goodfire (NAME-lN.pth with encoder_linear.* and decoder_linear.*)',
  recognise: async ({ weights: { container, entries } }) => container === 'torch' && entries.has('encoder_linear.weight'),
  read: async (place, choices) => readReluPair(place, choices, 'encoder_linear', 'decoder_linear')
}
