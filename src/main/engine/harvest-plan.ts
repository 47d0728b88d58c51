/** What a harvest is: opens what a request names, from headers, and decides how it is read, what it holds and where it goes. */
import { createHash } from 'node:crypto'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import type { HarvestRequest, HarvestPlan as PlanSummary } from '../../contract/harvest.ts'
import { runRequest } from '../../contract/run.ts'
import { openCheckpoint } from '../checkpoint/checkpoint.ts'
import type { Mirror } from '../explanations/mirror.ts'
import type { HarvestWork } from '../harvest/harvest.ts'
import type { HarvestFacts, HarvestPart } from '../harvest/harvest-head.ts'
import { bytesOfFeature, mostTokens, type TallyShape } from '../harvest/tally-shape.ts'
import { contentsOf, findTexts } from '../harvest/text-files.ts'
import { stampOf } from '../inference/models.ts'
import { Vocabulary } from '../inference/tokenizer.ts'
import type { KnownSae } from '../library/releases.ts'
import { attach } from '../sae/fit.ts'
import type { Sae } from '../sae/sae.ts'
import { listHookPoints, modelName } from '../transformer/model.ts'
import { readTransformer } from '../transformer/registry.ts'
import { trainedContext, usualContext } from './corpus-context.ts'
import { jobOf } from './runs.ts'

/** Tokens of a pass where nobody says how many; of wide SAEs fewer, so that no more activations than these are computed at once. */
const usualBatch = 2048
const mostActivations = 2 ** 24

/** A request with everything opened and decided. */
export interface PreparedHarvest {
  readonly work: HarvestWork
  readonly summary: Omit<PlanSummary, 'tokensKept'>
  readonly file: string
  /** Whether the file is the home's, which needs it only until the mirror has what it holds. */
  readonly isHomes: boolean
  readonly processingReason: string
}

export interface PlanServices {
  readonly home: string
  readonly mirror: Pick<Mirror, 'sources'>
}

/** Where harvests are kept that were begun without a file of their own. */
export function harvestFolder(home: string): string {
  return path.join(home, 'harvests')
}

/** Half of the memory that is free, or what the person allows. */
export function memoryLimitOf(limit: number | undefined): number {
  return limit ?? Math.floor(process.availableMemory() / 2)
}

/** Throws `harvest/memory` where tallies of so many features do not fit; says with what settings they would. */
export function checkMemory({ memoryBytes, memoryLimit, features, smaller }: Omit<PlanSummary, 'tokensKept'>): void {
  if (memoryBytes <= memoryLimit) return
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6).toLocaleString('en-US')} MB`
  const hint =
    smaller === null
      ? 'Harvest fewer SAEs at a time, or raise --memory-limit.'
      : `With --top ${smaller.top} --per-interval ${smaller.perInterval} it needs ${megabytes(smaller.memoryBytes)}; or raise --memory-limit, or harvest fewer SAEs at a time.`
  throw new SpliceError(
    'harvest/memory',
    `what is held of ${features.toLocaleString('en-US')} features needs ${megabytes(memoryBytes)}, but ${megabytes(memoryLimit)} are allowed`,
    { field: 'memoryLimit', hint }
  )
}

/** Fewer examples with which it fits: ever fewer until it does, none at the last. */
function smallerOf(shape: TallyShape, features: number, limit: number): PlanSummary['smaller'] {
  for (const share of [1 / 2, 1 / 4, 1 / 8, 0]) {
    const less = { ...shape, top: Math.ceil(shape.top * share), perInterval: Math.ceil(shape.perInterval * share) }
    const memoryBytes = features * bytesOfFeature(less)
    if (memoryBytes <= limit) return { top: less.top, perInterval: less.perInterval, memoryBytes }
  }
  return null
}

function contextOf({ context, texts: _ }: HarvestRequest, isIds: boolean, most: number, model: string, saes: readonly Sae[]): number {
  if (context === undefined) return isIds ? most : Math.min(most, ...saes.map(sae => trainedContext(sae) ?? usualContext))
  if (context <= most) return context
  throw new SpliceError('harvest/context', `sequences of ${context} tokens are asked for, but ${model} has a context of ${most}`, {
    field: 'context',
    hint: `Ask for at most ${most}.`
  })
}

/** What stands for an SAE in the name of its source: the end of its path, without what is the same in all of them. */
function shortName({ path: file, hook }: Sae): string {
  const parts = file.replace(/\.[A-Za-z0-9]+$/, '').split(/[\\/]/)
  const layer = parts.findLastIndex(part => /^layer_\d+$/.test(part))
  const named = layer === -1 ? parts.slice(-1) : parts.slice(layer + 1)
  const name = named.filter(part => part !== 'params' && part !== 'sae_weights').join('-')
  // A folder that is called as its hook point says the layer twice.
  return slug(name === hook ? name.replace(/^blocks\.\d+\./, '') : name)
}

function slug(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replaceAll(/^-+|-+$/g, '') || 'sae'
}

/** The source of each SAE: its layer, the harvest's name, and the SAE's where there are several or nobody named the harvest. */
export function sourceNames(
  name: string | undefined,
  model: string,
  saes: readonly { readonly sae: Sae; readonly hook: string; readonly known: KnownSae | null }[]
): string[] {
  const taken = new Map<string, number>()
  const modelId = saes.map(({ known }) => known?.source?.split('/')[0]).find(id => id !== undefined) ?? slug(model)
  return saes.map(({ sae, hook }) => {
    const layer = /^blocks\.(\d+)\./.exec(hook)?.[1]
    const parts = [name ?? 'own', ...(name === undefined || saes.length > 1 ? [shortName(sae)] : [])]
    const source = `${modelId}/${layer === undefined ? '' : `${layer}-`}${parts.join('-')}`
    const count = (taken.get(source) ?? 0) + 1
    taken.set(source, count)
    return count === 1 ? source : `${source}-${count}`
  })
}

/** What files of a request are kept under where the home keeps them: all that the person chose, and nothing that files decide. */
function fileOf(home: string, { anew: _anew, file, memoryLimit: _limit, ...asked }: HarvestRequest): string {
  if (file !== undefined) return path.resolve(file)
  const { shard, name = 'own' } = asked
  const hash = createHash('sha256').update(JSON.stringify(asked)).digest('hex').slice(0, 12)
  return path.join(harvestFolder(home), `${name}${shard === undefined ? '' : `-${shard.index}-of-${shard.of}`}-${hash}.harvest`)
}

/** Texts of token ids, each made once. */
function textsOf(vocabulary: Vocabulary): (id: number) => string {
  const known = new Map<number, string>()
  return id => {
    const text = known.get(id) ?? vocabulary.token(id).text
    known.set(id, text)
    return text
  }
}

/** Throws `harvest/shard` for a share that is none. */
function checkShard({ shard }: HarvestRequest): void {
  if (shard === undefined || shard.index <= shard.of) return
  throw new SpliceError('harvest/shard', `there is no shard ${shard.index} of ${shard.of}`, {
    field: 'shard',
    hint: `Shards are counted from 1 to ${shard.of}.`
  })
}

/** Throws `harvest/name-taken` where a source is there that was not harvested. */
async function checkNames(sources: readonly string[], mirror: PlanServices['mirror']): Promise<Set<string>> {
  const known = (await mirror.sources()).filter(({ source }) => sources.includes(source))
  const foreign = known.find(({ harvest }) => harvest === null)
  if (foreign !== undefined) {
    throw new SpliceError('harvest/name-taken', `the mirror has a source ${foreign.source} that was not harvested`, {
      field: 'name',
      hint: 'Choose another name for what is harvested.'
    })
  }
  return new Set(known.map(({ source }) => source))
}

/** Opens and decides. Throws what is wrong with the model, the SAEs, the texts or the request. */
export async function prepareHarvest(request: HarvestRequest, { home, mirror }: PlanServices): Promise<PreparedHarvest> {
  checkShard(request)
  const { layerOrder, provider, precision, documents, countSpecial, top, perInterval, before, after } = request
  const shape: TallyShape = { top, perInterval, before, after }
  if (before + 1 + after > mostTokens) {
    throw new SpliceError('harvest/around', `${before} tokens in front of an example and ${after} behind it are too many`, {
      field: 'before',
      hint: `Ask for at most ${mostTokens - 1} in all.`
    })
  }
  const asked = runRequest.parse({
    model: request.model,
    saes: request.saes,
    processing: request.processing,
    layerOrder,
    provider,
    prompt: { ids: [] },
    variants: [{ name: 'clean', splices: [] }]
  })
  const { job, opened, flags, reason } = await jobOf(asked, { home })
  const checkpoint = await openCheckpoint(request.model)
  const name = modelName(checkpoint.folder)
  const transformer = readTransformer(checkpoint, { processing: new Set(flags), layerOrder, hookMlpIn: true })
  const vocabulary = await Vocabulary.open(checkpoint, transformer.specialIds, transformer.bosId)
  const hookPoints = listHookPoints(transformer, checkpoint.folder)
  const saes = opened.map(({ sae, known }) => ({ sae, known, ...attach(sae, hookPoints, name) }))
  const texts = await findTexts(request.texts)
  const paths = texts.map(text => text.path)

  const features = saes.reduce((sum, { sae }) => sum + sae.dSae, 0)
  const isIds = paths.every(file => /\.json$/i.test(file))
  const context = contextOf(
    request,
    isIds,
    transformer.shape.context,
    name,
    saes.map(({ sae }) => sae)
  )
  const batchTokens = request.batchTokens ?? Math.max(1, Math.min(usualBatch, Math.floor(mostActivations / features)))
  const special = new Set(vocabulary.specialIds)
  const sources = sourceNames(request.name, name, saes)
  const replaced = request.shard === undefined ? await checkNames(sources, mirror) : new Set<string>()

  const part: HarvestPart = {
    text: await contentsOf(paths),
    tokens: request.tokens,
    index: request.shard?.index ?? 1,
    of: request.shard?.of ?? 1
  }
  const [modelStamp, saeStamps, modelContents, saeContents] = await Promise.all([
    stampOf(checkpoint.files.map(file => file.path)),
    Promise.all(saes.map(({ sae }) => stampOf(sae.files))),
    contentsOf(checkpoint.files.map(file => file.path)),
    Promise.all(saes.map(({ sae }) => contentsOf(sae.files)))
  ])
  const settings = {
    'the context': String(context),
    'the batch in tokens': String(batchTokens),
    'the reading of the text': JSON.stringify({ documents, bos: request.prependBos }),
    'the counting of special tokens': String(countSpecial),
    'what is held of each feature': JSON.stringify(shape),
    'the processing': flags.join(',') || 'none',
    'the layer order': layerOrder
  }
  const placeOf = ({ hook, target, sae }: (typeof saes)[number]) =>
    `${hook === target ? hook : `${hook}:${target}`} ${JSON.stringify(sae.normFactor?.value ?? null)}`
  const facts: HarvestFacts = {
    asked: {
      'the model': checkpoint.folder,
      "the model's files": modelStamp,
      'the SAEs': saes.map(({ sae }) => sae.path).join(', '),
      "the SAEs' files": saeStamps.join(' '),
      'the hook points': saes.map(placeOf).join(', '),
      'the text': paths.join(', '),
      "the text's files": texts.map(({ stamp }) => stamp).join(', '),
      'the number of tokens': String(request.tokens),
      'the shard': `${part.index}/${part.of}`,
      ...settings,
      'the provider': provider,
      ...(precision === undefined ? {} : { 'the precision': precision }),
      'the sources': sources.join(', ')
    },
    kin: {
      "the model's contents": modelContents,
      "the SAEs' contents": saeContents.join(', '),
      'the hook points': saes.map(placeOf).join(', '),
      ...settings
    },
    parts: [part],
    shape,
    model: { name, path: checkpoint.folder },
    saes: saes.map(({ sae, hook, target }, at) => ({
      name: request.saes[at]?.name ?? `sae${at + 1}`,
      path: sae.path,
      hook,
      hookOut: sae.isTranscoder ? target : null,
      features: sae.dSae,
      source: sources[at] ?? ''
    })),
    texts: texts.map(({ path: file, bytes }) => ({ path: file, bytes })),
    documents,
    context,
    countSpecial,
    processing: [...flags],
    request
  }
  const checkIds = (ids: readonly number[], file: string, sequence: number) => {
    const outside = ids.find(id => id < 0 || id >= transformer.shape.vocabulary)
    if (outside === undefined) return
    const message = `token id ${outside} in sequence ${sequence} of ${file} is not in the vocabulary of ${name}`
    throw new SpliceError('harvest/token-id', message, { file, hint: `Its ids are 0 to ${transformer.shape.vocabulary - 1}.` })
  }
  const memoryBytes = features * bytesOfFeature(shape)
  const memoryLimit = memoryLimitOf(request.memoryLimit)
  const file = fileOf(home, request)
  return {
    work: {
      facts,
      part,
      reading: {
        files: facts.texts,
        documents,
        context,
        tokenizer: {
          encode: text => vocabulary.encode(text, false).ids,
          bos: request.prependBos ? vocabulary.bosId : null
        },
        checkIds
      },
      batchTokens,
      isSpecial: id => special.has(id),
      tokenText: textsOf(vocabulary),
      job: {
        model: request.model,
        saes: job.saes,
        processing: job.processing,
        layerOrder,
        provider,
        precision,
        cacheFolder: job.cacheFolder
      }
    },
    summary: {
      features,
      bytesPerFeature: bytesOfFeature(shape),
      memoryBytes,
      memoryLimit,
      smaller: memoryBytes <= memoryLimit ? null : smallerOf(shape, features, memoryLimit),
      texts: { files: texts.length, bytes: texts.reduce((sum, { bytes }) => sum + bytes, 0) },
      context,
      batchTokens,
      sources:
        request.shard === undefined
          ? sources.map((source, at) => ({ sae: facts.saes[at]?.name ?? '', source, replaces: replaced.has(source) }))
          : [],
      file
    },
    file,
    isHomes: request.file === undefined && request.shard === undefined,
    processingReason: reason
  }
}
