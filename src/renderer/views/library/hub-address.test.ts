import { expect, test } from 'vitest'
import { readHubAddress } from './hub-address.ts'

test.each([
  [' google/gemma-2-2b ', 'google/gemma-2-2b', 'main', null],
  ['gpt2@refs/pr/3', 'gpt2', 'refs/pr/3', null],
  ['https://huggingface.co/google/gemma-2-2b', 'google/gemma-2-2b', 'main', null],
  ['https://huggingface.co/google/gemma-2-2b/tree/main', 'google/gemma-2-2b', 'main', null],
  ['https://huggingface.co/o/n/tree/v1/layer_20/width_16k', 'o/n', 'v1', 'layer_20/width_16k'],
  ['https://huggingface.co/o/n/blob/main/a%20b.npz?download=true', 'o/n', 'main', 'a b.npz'],
  ['not a repository', 'not a repository', 'main', null]
])('%s', (text, repo, revision, path) => expect(readHubAddress(text)).toEqual({ repo, revision, path }))
