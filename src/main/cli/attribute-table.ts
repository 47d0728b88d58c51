/** What `splice attribute` prints: the base, features by their effect, groups and pairs. */
import type { AttributionResult } from '../../contract/attribution.ts'
import { describeQuantity } from '../../contract/quantity.ts'
import { aligned } from './aligned.ts'
import { fixed, saeLine, signed } from './run-table.ts'

/** The whole result as text. */
export function attributionTable(result: AttributionResult): string {
  const { model, sae, tokens, quantity, scope, errorTerm, effects, groups, pairs, active, base, clean, rows } = result
  const seconds = (Object.values(result.milliseconds).reduce((sum, ms) => sum + ms, 0) / 1000).toFixed(1)
  const heading = [
    `${model.name}  ${result.processing.join(', ') || 'no processing'} (${result.processingReason})`,
    saeLine({ ...sae, normFactor: null }),
    describeQuantity(quantity, tokens),
    `base ${fixed(base)}, spliced ${errorTerm ? 'with' : 'without'} the error term; clean ${fixed(clean)}`,
    `${effects.length} of ${active} ${scope === 'all' ? 'active features, each at all positions' : 'features at positions'}; ${rows} rows, ${seconds} s`
  ].join('\n')
  const tokenAt = (position: number | null) => (position === null ? '-' : `${position} ${JSON.stringify(tokens[position]?.text ?? '')}`)
  const place = scope === 'all' ? 'strongest at' : 'at'
  const listed = effects.map(({ index, position, activation, effect, explanations }) => [
    String(index),
    fixed(activation, 2),
    signed(effect, 4),
    tokenAt(position),
    explanations[0]?.description ?? ''
  ])
  const parts = [
    heading,
    aligned([['feature', 'activation', 'effect', place, ''], ...listed], new Set([3, 4])),
    ...(groups.length === 0
      ? []
      : [
          aligned(
            [['group', 'effect', 'features'], ...groups.map(({ name, effect, features }) => [name, signed(effect, 4), features.join()])],
            new Set([0, 2])
          )
        ]),
    ...(pairs.length === 0
      ? []
      : [
          aligned(
            [
              ['pair', 'effect', 'interaction'],
              ...pairs.map(({ first, second, effect, interaction }) => [
                [first, second].map(({ index, position }) => (scope === 'all' ? `${index}` : `${index}@${position}`)).join(' + '),
                signed(effect, 4),
                signed(interaction, 4)
              ])
            ],
            new Set([0])
          )
        ])
  ]
  return `${parts.join('\n\n')}\n`
}
