/** The pictures of docs/tour.md: the script that takes them goes through every stop of the workbench as it is today. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root, temporaryFolder } from '../command-line.ts'

test('every picture of the tour can be taken, and stands in the text once', () => {
  const folder = temporaryFolder()
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/tour.mjs'), '--to', folder], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const named = [...readFileSync(join(root, 'docs/tour.md'), 'utf8').matchAll(/\]\(tour\/([a-z-]+\.png)\)/g)].map(match => match[1])
  expect(named.toSorted()).toEqual(readdirSync(folder).toSorted())
  expect(readdirSync(join(root, 'docs/tour')).toSorted()).toEqual(readdirSync(folder).toSorted())
})
