/** The activation functions of MLPs, by the names that config.json has for them (transformers' `ACT2FN`). */
import { z } from 'zod'
import type { GraphBuilder, Value } from '../onnx/graph.ts'

export const activationName = z.enum([
  'gelu',
  'gelu_python',
  'gelu_new',
  'gelu_fast',
  'gelu_accurate',
  'gelu_pytorch_tanh',
  'gelu_python_tanh',
  'silu',
  'swish',
  'relu'
])
export type ActivationName = z.infer<typeof activationName>

/** The activation function of x, elementwise. */
export function activate(graph: GraphBuilder, name: ActivationName, x: Value): Value {
  switch (name) {
    case 'gelu':
    case 'gelu_python':
      return graph.gelu(x, 'none')
    case 'gelu_new':
    case 'gelu_fast':
    case 'gelu_accurate':
    case 'gelu_pytorch_tanh':
    case 'gelu_python_tanh':
      return graph.gelu(x, 'tanh')
    case 'silu':
    case 'swish':
      return graph.multiply(x, graph.sigmoid(x))
    case 'relu':
      return graph.relu(x)
  }
}
