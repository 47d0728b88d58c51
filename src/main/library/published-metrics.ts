/**
 * What is published of how an SAE does: mean L0 and explained variance, from the table of releases, else from its own files
 * (Gemma Scope 2's config.json says `l0`; dictionary_learning keeps `eval_results.json` beside the weights), else from its path.
 */
import path from 'node:path'
import { z } from 'zod'
import type { PublishedFigure, PublishedMetrics } from '../../contract/run.ts'
import { parseJson } from '../checkpoint/json.ts'
import { readText } from '../checkpoint/open-file.ts'
import type { Sae } from '../sae/sae.ts'
import type { KnownSae } from './releases.ts'

const largestFile = 1024 * 1024
/** Figures that are no numbers are not stated. */
const stated = z.number().optional().catch(undefined)
const configFigures = z.object({ l0: stated, average_l0: stated })
const evaluation = z.object({ l0: stated, frac_variance_explained: stated }).catch({})

/** How many folders of a path may say an L0: the SAE's own, and those that group SAEs above it. */
const foldersAbove = 4

/** `average_l0_71`, `l0_120`, `..._l0-50`: the last one that a path names; null where none does. */
export function l0OfPath(saePath: string): number | null {
  const own = saePath.split(/[\\/]/).slice(-foldersAbove).join('/')
  const found = [...own.matchAll(/(?:^|[/_-])l0[_-](\d+(?:\.\d+)?)(?=[/_-]|$|\.[a-z])/g)].at(-1)?.[1]
  return found === undefined ? null : Number(found)
}

async function readEvaluation(folder: string): Promise<z.infer<typeof evaluation>> {
  const file = path.join(folder, 'eval_results.json')
  try {
    return evaluation.parse(parseJson(await readText(file, largestFile)))
  } catch {
    // Not there, or not what it is for dictionary_learning: nothing is stated.
    return {}
  }
}

/** The published metrics of an SAE; null where nothing states them. An L0 of zero is none. */
export async function publishedMetrics(sae: Sae, known: KnownSae | null): Promise<PublishedMetrics> {
  const [weightsFile = sae.path] = sae.files
  const config = configFigures.catch({}).parse(sae.config)
  const measured = await readEvaluation(path.dirname(weightsFile))
  const first = (...figures: [number | null | undefined, PublishedFigure['from']][]): PublishedFigure | null => {
    for (const [value, from] of figures) if (value !== null && value !== undefined && Number.isFinite(value)) return { value, from }
    return null
  }
  const l0 = first([known?.averageL0, 'release'], [measured.l0 ?? config.average_l0 ?? config.l0, 'file'], [l0OfPath(sae.path), 'path'])
  return {
    l0: l0 !== null && l0.value > 0 ? l0 : null,
    explainedVariance: first([known?.varianceExplained, 'release'], [measured.frac_variance_explained, 'file'])
  }
}
