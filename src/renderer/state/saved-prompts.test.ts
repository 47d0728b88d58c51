import { expect, test } from 'vitest'
import type { Prompt } from '../../contract/run.ts'
import { excerptOf, findPrompts, proposedName } from './saved-prompts.ts'

const saved = (name: string, prompt: Prompt) => ({ id: name, name, prompt, savedAt: 0 })
const prompts = [
  saved('Wormhole', { text: 'Would you be able to travel\nthrough time?', prependBos: true }),
  saved('A talk', {
    chat: [
      { role: 'user', content: 'What is a wormhole?' },
      { role: 'assistant', content: 'A tunnel.' }
    ],
    addGenerationPrompt: true
  }),
  saved('Numbers', { ids: [2, 106, 108] })
]

test('an excerpt is one line of what is written', () => {
  expect(prompts.map(({ prompt }) => excerptOf(prompt))).toEqual([
    'Would you be able to travel through time?',
    'What is a wormhole? / A tunnel.',
    '2, 106, 108'
  ])
})

test.each([
  ['wormhole', ['Wormhole', 'A talk']],
  ['TUNNEL', ['A talk']],
  ['106', ['Numbers']],
  ['travel through', ['Wormhole']],
  ['  ', ['Wormhole', 'A talk', 'Numbers']],
  ['giraffe', []]
])('%j finds names and words', (query, names) => {
  expect(findPrompts(prompts, query).map(({ name }) => name)).toEqual(names)
})

test('a proposed name is the first words, with a number where they are taken', () => {
  const prompt: Prompt = { text: 'Once upon a time', prependBos: true }
  expect(proposedName(prompt, [])).toBe('Once upon a time')
  expect(proposedName(prompt, ['Once upon a time', 'Once upon a time 2'])).toBe('Once upon a time 3')
  expect(proposedName({ text: '', prependBos: true }, [])).toBe('Prompt')
})
