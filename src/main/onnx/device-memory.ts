/** What a graph's weights take of a device's memory, where a device runs it. */
import { elementTypes, type Graph, type Node } from './model-proto.ts'

/** What the names of nodes begin with that the CPU runs, whatever runs the rest. */
export const hostNodes = 'on_host_'

/** Whether a node makes float16 of its input, which the runtime then does once, when it opens the graph. */
function isNarrowing({ operator, attributes: { to } }: Node): boolean {
  return operator === 'Cast' && to !== undefined && 'int' in to && to.int === elementTypes.float16
}

/** Bytes of the external tensors that a device's nodes use: in float32, or in float16 where nothing else is made of them. */
export function deviceBytesOf({ nodes, initializers }: Graph): number {
  const users = new Map<string, Node[]>()
  for (const node of nodes.filter(({ name }) => !name.startsWith(hostNodes))) {
    for (const input of node.inputs) users.set(input, [...(users.get(input) ?? []), node])
  }
  let bytes = 0
  for (const { name, shape, data } of initializers) {
    const its = users.get(name)
    if (data instanceof Uint8Array || its === undefined) continue
    bytes += shape.reduce((product, size) => product * size, its.every(isNarrowing) ? 2 : 4)
  }
  return bytes
}
