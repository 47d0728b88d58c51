/**
 * A graph cut in two where some of its inputs come in: what depends on none of them is computed once, however often the rest runs.
 */
import type { ElementType, Graph, Port } from './model-proto.ts'

/** `handedOver` are values of the first part that the second takes as inputs, by the same names. */
export interface CutGraph {
  readonly first: Graph
  readonly second: Graph
  readonly handedOver: readonly string[]
}

/**
 * Cuts a graph at `late` inputs; `typeOf` gives the element type of any value. What depends on weights and constants alone is in both
 * parts, so that no weight is handed over.
 */
export function cutGraph(
  { nodes, initializers, inputs, outputs }: Graph,
  late: ReadonlySet<string>,
  typeOf: (name: string) => ElementType
): CutGraph {
  const ports = new Map(inputs.map(port => [port.name, port]))
  const isLate = new Set(late)
  const runs = new Set(ports.keys())
  const makers = new Map<string, (typeof nodes)[number]>()
  for (const node of nodes) {
    for (const output of node.outputs) {
      makers.set(output, node)
      if (node.inputs.some(name => isLate.has(name))) isLate.add(output)
      if (node.inputs.some(name => runs.has(name))) runs.add(output)
    }
  }
  const handedOver = new Set(
    nodes
      .filter(node => node.outputs.some(name => isLate.has(name)))
      .flatMap(node => node.inputs)
      .filter(name => !isLate.has(name) && !ports.has(name) && runs.has(name))
  )

  /** The part that gives `wanted`, with what `given` names as further inputs. */
  const part = (wanted: readonly Port[], given: ReadonlySet<string>): Graph => {
    const needed = new Set<string>()
    const waiting = wanted.map(({ name }) => name)
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (needed.has(name)) continue
      needed.add(name)
      if (!given.has(name)) waiting.push(...(makers.get(name)?.inputs ?? []))
    }
    return {
      nodes: nodes.filter(node => node.outputs.some(name => needed.has(name) && !given.has(name))),
      initializers: initializers.filter(({ name }) => needed.has(name)),
      inputs: [...[...given].filter(name => needed.has(name)).map(open), ...inputs.filter(({ name }) => needed.has(name))],
      outputs: wanted
    }
  }
  const open = (name: string): Port => ({ name, type: typeOf(name), shape: null })
  const early = outputs.filter(({ name }) => !isLate.has(name) && !handedOver.has(name))
  return {
    first: part([...early, ...[...handedOver].map(open)], new Set()),
    second: part(
      outputs.filter(({ name }) => isLate.has(name)),
      handedOver
    ),
    handedOver: [...handedOver]
  }
}
