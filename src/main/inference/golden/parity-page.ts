/** docs/parity.md: how far Splice is from its peers, as a page. Differences are rounded up, so that machines agree on them. */
import fs from 'node:fs/promises'
import { z } from 'zod'
import { formats } from '../../sae/formats/registry.ts'
import { families } from '../../transformer/registry.ts'
import { golden } from './golden-files.ts'
import { caseOfFile, type Difference, familyName, type ParityRow } from './parity.ts'

/** Said of a family, a format or a case that no recorded run stands for. */
export const notVerified = 'not verified against a peer'

/** Cases of the index that are recorded and not run here. */
const recorded = z.object({
  peers: z.record(z.string(), z.string()),
  tl_state: z.array(z.object({ file: z.string() })),
  edits: z.array(z.object({ file: z.string() })),
  logit_lens: z.array(z.object({ file: z.string() })),
  logit_effects: z.array(z.object({ sae: z.string() }))
})

/** Up to the next 1, 2 or 5 times a power of ten; anything below float32's own noise counts as 1e-9. */
export function roundUp(value: number): number {
  if (!Number.isFinite(value)) return value
  if (value === 0) return 0
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)))
  const digit = [1, 2, 5, 10].find(candidate => value <= candidate * power * (1 + 1e-9)) ?? 10
  return digit * power
}

function shown(value: number): string {
  return value === 0 ? '0' : Number.isFinite(value) ? roundUp(value).toExponential(0) : 'no number'
}

function largest(differences: readonly Difference[], of: 'absolute' | 'relative'): number {
  return differences.reduce((most, difference) => Math.max(most, difference[of]), 0)
}

/** The first hook point, in the order in which they run, whose relative difference is the largest as it is rounded. */
export function worstHook(hooks: readonly Difference[]): string {
  const most = roundUp(largest(hooks, 'relative'))
  return hooks.find(({ relative }) => roundUp(relative) === most)?.name ?? ''
}

function rowOf(row: ParityRow): string[] {
  const worst = worstHook(row.hooks)
  const there = row.hooks.filter(({ name }) => name === worst)
  const numbers = [row.logits, there].flatMap(differences =>
    differences.length === 0 ? ['', ''] : [shown(largest(differences, 'absolute')), shown(largest(differences, 'relative'))]
  )
  const [logits = '', logitsRelative = '', hook = '', hookRelative = ''] = numbers
  const name = worst === '' ? 'outputs alone recorded' : `\`${worst}\``
  const within = [...row.logits, ...row.hooks].every(({ isWithin }) => isWithin) ? '' : 'over tolerance'
  const cases = row.cases.map(id => `\`${id}\``).join(', ')
  return [
    row.format ?? 'model alone',
    row.reading,
    cases,
    String(row.files.length),
    logits,
    logitsRelative,
    name,
    hook,
    hookRelative,
    within
  ]
}

const header = ['SAE format', 'reading', 'golden cases', 'files', 'logits', 'relative', 'worst hook', 'there', 'relative', '']

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function familySection(family: string, rows: readonly ParityRow[]): string {
  const own = rows.filter(row => row.family === family)
  const missing = formats.map(({ name }) => name).filter(name => !own.some(({ format }) => format === name))
  const blank = (first: string) => [first, ...header.slice(1).map((_, place) => (place === 0 ? notVerified : ''))]
  const known = own.length === 0 ? [blank('model alone')] : own.map(rowOf)
  return `## ${family}\n\n${table(header, [...known, ...(missing.length === 0 ? [] : [blank(missing.join(', '))])])}`
}

function formatTable(rows: readonly ParityRow[]): string {
  const lines = formats.map(({ name, description }) => {
    const own = rows.filter(({ format }) => format === name)
    if (own.length === 0) return [name, description, notVerified, '', '']
    const [logits, hooks] = [own.flatMap(row => row.logits), own.flatMap(row => row.hooks)]
    return [
      name,
      description,
      [...new Set(own.map(({ family }) => family))].join('; '),
      shown(largest(logits, 'absolute')),
      shown(largest(hooks, 'relative'))
    ]
  })
  return table(['format', 'files', 'families', 'logits', 'hooks, relative'], lines)
}

function list(names: readonly string[]): string {
  return [...new Set(names)].map(name => `\`${name}\``).join(', ')
}

/** Kinds of numbers whose tolerances are told apart, by the names of tensors. */
export const kinds: readonly { readonly name: string; readonly isMeant: (tensor: string) => boolean }[] = [
  { name: 'attention scores', isMeant: tensor => tensor.endsWith('hook_attn_scores') },
  { name: 'attention patterns', isMeant: tensor => tensor.endsWith('hook_pattern') },
  { name: "SAEs' activations", isMeant: tensor => /hook_sae_acts_(pre|post)$/.test(tensor) },
  { name: "SAEs' and transcoders' outputs", isMeant: tensor => /hook_sae_|^transcoder\.|\.transcoder\./.test(tensor) },
  { name: 'every other hook point', isMeant: () => true }
]

/** What was measured besides the CPU in float32: WebGPU on SwiftShader, and float16 weights. */
export interface OtherWays {
  readonly webgpu: readonly ParityRow[]
  readonly float16: readonly ParityRow[]
}

/** Tolerances of float16: of logits, absolute; of hook points, relative. */
export const float16Tolerance = { logits: 5e-2, hooks: 1e-2 } as const

/** Rows of one way to run, or of a part of its cases; `hasSaes` is false where none of them has one. */
export interface Way {
  readonly name: string
  readonly rows: readonly ParityRow[]
  readonly hasSaes?: boolean
}

/** Float16, of models alone and with SAEs. */
export function float16Ways(rows: readonly ParityRow[], where = ''): Way[] {
  const isAlone = ({ format }: ParityRow) => format === null
  return [
    { name: `float16${where}, models alone`, rows: rows.filter(isAlone), hasSaes: false },
    { name: `float16${where}, with SAEs`, rows: rows.filter(row => !isAlone(row)) }
  ]
}

/** A table of the largest differences by kinds of numbers, a column for each way to run. */
export function kindTable(ways: readonly Way[]): string {
  const cell = (differences: readonly Difference[], of: 'absolute' | 'relative', isThere = true) =>
    differences.length > 0 ? shown(largest(differences, of)) : isThere ? 'not measured' : ''
  const lines = kinds.map(({ name, isMeant }, place) => {
    // Each tensor is of the first kind that means it.
    const isOf = (tensor: string) => isMeant(tensor) && !kinds.slice(0, place).some(kind => kind.isMeant(tensor))
    const cells = ways.map(({ rows, hasSaes = true }) =>
      cell(
        rows.flatMap(row => row.hooks.filter(hook => isOf(hook.name))),
        'relative',
        hasSaes || !name.startsWith('SAE')
      )
    )
    return [`${name}, relative`, '1e-4 + 1e-3 of the largest', ...cells]
  })
  const logits = ways.map(({ rows }) =>
    cell(
      rows.flatMap(row => row.logits),
      'absolute'
    )
  )
  return table(['kind of number', 'tolerance', ...ways.map(({ name }) => name)], [['logits', '5e-4', ...logits], ...lines])
}

function otherWaysSection(rows: readonly ParityRow[], { webgpu, float16 }: OtherWays): string {
  return `## On WebGPU, and in float16

The same cases on WebGPU, with SwiftShader as its GPU (Vulkan in software, as it comes with Chromium): the tolerances are the CPU's. That
runs the shaders that a GPU would run, but no GPU's own arithmetic; \`npm run parity -- --device webgpu\` prints the same table for one. Active features are the same ones,
and so are greedy continuations, best predictions and ranks; \`npm run test:all\` runs all that is held to the golden data on WebGPU, \`npm test\`
some of it.

\`--precision fp16\` holds and multiplies a model's matrices in float16. SwiftShader has no float16, so that was not run on a GPU. What is
measured is its graph on the CPU, where the runtime rounds the weights to float16 and leaves out most roundings of activations: the error of
the weights alone. Of models alone the tolerance is ${float16Tolerance.logits} for logits and ${float16Tolerance.hooks} of the largest value for hook points. With SAEs there is none:
a feature near its threshold, or near the k-th place, may be on or off, and what it adds is there or not.

${kindTable([{ name: 'CPU', rows }, { name: 'WebGPU', rows: webgpu }, ...float16Ways(float16)])}`
}

/** The page. */
export async function parityPage(rows: readonly ParityRow[], others: OtherWays = { webgpu: [], float16: [] }): Promise<string> {
  const index = recorded.parse(JSON.parse(await fs.readFile(golden('index.json'), 'utf8')))
  const peers = Object.entries(index.peers).map(([name, version]) => `${name} ${version.replace(/,? \(.*/, '').replace(/,.*/, '')}`)
  const lensFiles = index.logit_lens.map(({ file }) => caseOfFile(file))
  return `# Parity

How far Splice's numbers are from its peers' on the tiny random models and SAEs of \`fixtures/golden\`: ${peers.join(', ')}, on a CPU in
float32. \`npm run parity\` writes this page. Real weights are not among them; \`npm run verify:gemma\` is for those who have some.

A difference is the largest |Splice - peer| over all tokens, prompts and recorded files of a row; *relative* is that divided by the largest
value of the tensor. The worst hook is the one with the largest relative difference. Differences are rounded up to 1, 2 or 5 times a
power of ten. Tolerances are those of \`fixtures/golden/README.md\`: logits 5e-4, hooks 1e-4 + 1e-3 times their largest value; a row that is
over them says so. Readings are TransformerLens's: \`no_processing\`, \`processed\` (all four flags), or one flag alone;
\`__hf_layer_order\` is the checkpoint's order of layers, where TransformerLens has another. With SAEs, files of the splice without and with
the error term are compared.

## By format

${formatTable(rows)}

${families.map(({ modelTypes }) => familySection(familyName(modelTypes), rows)).join('\n\n')}

${otherWaysSection(rows, others)}

## Recorded, not compared on this page

- Folded weights: Splice never writes them; \`src/main/transformer/folding.test.ts\` holds their effects to ${list(index.tl_state.map(({ file }) => caseOfFile(file)))}.
- Edits of features: \`edits.test.ts\` and \`generation.test.ts\` in \`src/main/inference/golden\` hold them to ${list(index.edits.map(({ file }) => caseOfFile(file)))}.
- The logit lens: \`logit-lens.test.ts\` holds it to ${list(lensFiles)}.
- Logit effects of features: \`logit-effects.test.ts\` holds them to ${list(index.logit_effects.map(({ sae }) => sae))}.
`
}
