import { expect, test } from 'vitest'
import { actionId, actionWords, wordsOf } from './actions.ts'
import { actionsOf, menus } from './menus.ts'

const listed = menus.flatMap(({ entries }) => actionsOf(entries))

test('menus name actions that there are, each once', () => {
  expect(listed.filter(id => !actionId.options.includes(id))).toEqual([])
  expect(listed).toEqual([...new Set(listed)])
})

test('every action that is no view’s own is in a menu', () => {
  expect(actionId.options.filter(id => wordsOf(id).views === undefined && !listed.includes(id))).toEqual([])
})

test('titles tell actions apart', () => {
  const titles = Object.values(actionWords).map(({ title }) => title)
  expect(titles).toEqual([...new Set(titles)])
})
