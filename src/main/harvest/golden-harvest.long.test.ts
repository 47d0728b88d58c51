/** Every golden SAE and transcoder, harvested. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { expectGoldenHarvest, goldenHarvests } from '../engine/golden-harvest.ts'

const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-golden-harvest-'))
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

test('the golden data has many', () => expect(goldenHarvests.length).toBeGreaterThan(25))

test.each(goldenHarvests.map(({ id }) => id))('%s', id => expectGoldenHarvest(id, folder))
