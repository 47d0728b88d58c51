/** What `splice inspect` found, as text for people: facts, config, then a line per tensor. */
import type { InspectedTensor, Inspection } from '../../contract/inspection.ts'
import type { ModelSummary, SaeSummary } from '../../contract/library.ts'
import { aligned } from './aligned.ts'

/** An inspection as text, ending in a line feed. */
export function inspectionText(found: Inspection): string {
  const parts = [factsOf(found), configOf(found), tensorTable(found.tensors)]
  return `${parts.filter(part => part !== '').join('\n\n')}\n`
}

function factsOf(found: Inspection): string {
  switch (found.kind) {
    case 'model':
      return facts([['model', found.path], ...modelFacts(found.model)])
    case 'sae':
      return facts([[found.sae.hookOut === null ? 'SAE' : 'transcoder', found.path], ...saeFacts(found.sae)])
    case 'weights':
      return facts([['weights', found.path], ['container', found.container], ...Object.entries(found.metadata)])
  }
}

function modelFacts(model: ModelSummary): [string, string][] {
  return [
    ['name', model.name],
    ['family', model.family],
    ['parameters', `${model.parameters.toLocaleString('en')} in ${model.dtype}`],
    ['tokenizer', model.hasTokenizer ? 'yes' : 'none']
  ]
}

function saeFacts(sae: SaeSummary): [string, string][] {
  const input = `${sae.hook ?? 'not said; name it with @HOOK'}${sae.headIndex === null ? '' : `, head ${sae.headIndex}`}`
  const factor = sae.normFactor === null ? '' : `, factor ${sae.normFactor.value} (${sae.normFactor.from})`
  return [
    ['format', sae.format],
    ['architecture', `${sae.architecture} (${sae.activation}${sae.hasSkip ? ', skip connection' : ''})`],
    ['reads', input],
    ...(sae.hookOut === null ? [] : [['writes', sae.hookOut] satisfies [string, string]]),
    ['sizes', `dIn ${sae.dIn}, dSae ${sae.dSae}${sae.dOut === sae.dIn ? '' : `, dOut ${sae.dOut}`}`],
    ['normalisation', `${sae.normalisation}${factor}`],
    ['b_dec', sae.appliesDecoderBiasToInput ? 'subtracted from the input' : 'not subtracted from the input'],
    ...optional('model', sae.model),
    ...optional('release', sae.release),
    ...optional('source', sae.source),
    ...sae.notes.map((note): [string, string] => ['note', note])
  ]
}

function optional(name: string, value: string | null): [string, string][] {
  return value === null ? [] : [[name, value]]
}

function facts(rows: readonly [string, string][]): string {
  return aligned(rows, new Set([0, 1]))
}

function configOf(found: Inspection): string {
  if (found.kind === 'weights') return ''
  const rows = Object.entries(found.config).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)])
  return rows.length === 0 ? '' : aligned([['config', ''], ...rows], new Set([0, 1]))
}

function tensorTable(tensors: readonly InspectedTensor[]): string {
  if (tensors.length === 0) return 'no tensors'
  const rows = tensors.map(({ name, dtype, shape, sizeBytes }) => [name, dtype, `[${shape.join(', ')}]`, sizeBytes.toLocaleString('en')])
  return aligned([['tensor', 'dtype', 'shape', 'bytes'], ...rows], new Set([0, 1, 2]))
}
