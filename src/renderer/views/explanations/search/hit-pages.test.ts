import { describe, expect, test } from 'vitest'
import type { SearchHit } from '../../../../contract/explanations.ts'
import { type AskPage, farthestSkip, HitPages, mostPages, pageSize } from './hit-pages.ts'

function hitOf(row: number): SearchHit {
  return {
    id: `${row}`,
    model: 'm',
    layer: '1-l',
    index: row,
    description: `d${row}`,
    explainer: null,
    type: null,
    density: null,
    matches: []
  }
}

/** A search with so many hits, whose keys name the row before them; it notes what it was asked. */
function searchOf(total: number, asked: { after: string | null; skip: number; limit: number }[] = []): AskPage {
  return async (page, signal) => {
    asked.push(page)
    await Promise.resolve()
    if (signal.aborted) throw new Error('aborted')
    const base = page.after === null ? 0 : Number(page.after) + 1
    const passed = Math.min(page.skip, Math.max(0, total - base))
    const start = base + passed
    const end = Math.min(total, start + page.limit)
    return {
      hits: Array.from({ length: Math.max(0, end - start) }, (_, at) => hitOf(start + at)),
      passed,
      startKey: start === 0 ? null : String(start - 1),
      nextKey: end < total ? String(end - 1) : null,
      problem: null
    }
  }
}

async function settled(pages: HitPages): Promise<void> {
  for (let turn = 0; turn < 1000 && (turn < 5 || pages.isAsking); turn++) await Promise.resolve()
}

describe('pages', () => {
  test('in sight are asked for with their neighbours, in the order of the search', async () => {
    const asked: Parameters<AskPage>[0][] = []
    const pages = new HitPages(searchOf(1000, asked), () => undefined)
    pages.show(0, 30)
    await settled(pages)
    expect(asked).toEqual([
      { after: null, skip: 0, limit: pageSize },
      { after: '99', skip: 0, limit: pageSize }
    ])
    expect([pages.at(0)?.index, pages.at(199)?.index, pages.at(200)]).toEqual([0, 199, undefined])
    expect([pages.end, pages.known]).toEqual([null, 201])
    pages.show(180, 230)
    await settled(pages)
    expect(pages.at(229)?.index).toBe(229)
  })

  test('are held up to a bound, wherever one scrolls, and dropped ones come again without passing over anything', async () => {
    const asked: Parameters<AskPage>[0][] = []
    const pages = new HitPages(searchOf(1_000_000, asked), () => undefined)
    for (let row = 0; row < 20_000; row += 50) {
      pages.show(row, row + 40)
      await settled(pages)
      expect(pages.at(row + 39)?.index).toBe(row + 39)
      expect(pages.pagesHeld).toBeLessThanOrEqual(mostPages + 3)
    }
    expect(asked.every(({ skip }) => skip === 0)).toBe(true)
    expect(pages.at(0)).toBeUndefined()
    asked.length = 0
    pages.show(150, 190)
    await settled(pages)
    expect(pages.at(150)?.index).toBe(150)
    expect(asked[0]).toEqual({ after: '99', skip: 0, limit: pageSize })
  })
})

describe('a jump', () => {
  test('far ahead goes by steps that leave keys behind, and tells how far it is', async () => {
    const asked: Parameters<AskPage>[0][] = []
    const jumps: (number | undefined)[] = []
    const pages: HitPages = new HitPages(searchOf(1_000_000, asked), () => jumps.push(pages.jump?.reached))
    pages.show(0, 30)
    await settled(pages)
    asked.length = 0
    pages.show(600_000, 600_030)
    await settled(pages)
    expect(pages.at(600_029)?.index).toBe(600_029)
    expect(asked.filter(({ limit }) => limit === 1).length).toBe(Math.ceil(600_000 / farthestSkip) - 1)
    expect(Math.max(...asked.map(({ skip }) => skip))).toBeLessThanOrEqual(farthestSkip)
    expect(jumps.filter(reached => reached !== undefined).length).toBeGreaterThan(3)
    expect(pages.jump).toBeNull()
    asked.length = 0
    pages.show(300_000, 300_030)
    await settled(pages)
    expect(asked.length).toBeLessThanOrEqual(4)
    expect(pages.at(300_000)?.index).toBe(300_000)
  })

  test('beyond the end finds the end, whether or not it lies at a page', async () => {
    for (const total of [0, 1, 99, 100, 101, 250, 60_300]) {
      const pages = new HitPages(searchOf(total), () => undefined)
      pages.show(200_000, 200_030)
      await settled(pages)
      expect([total, pages.end, pages.known]).toEqual([total, total, total])
    }
  })

  test('that is given up for another place does not come', async () => {
    const pages = new HitPages(searchOf(1_000_000), () => undefined)
    pages.show(0, 30)
    await settled(pages)
    pages.show(900_000, 900_030)
    pages.show(50, 80)
    await settled(pages)
    expect(pages.at(900_000)).toBeUndefined()
    expect(pages.at(60)?.index).toBe(60)
  })
})

test('a failure is kept until asked again; a closed search is silent', async () => {
  let fails = true
  let changes = 0
  const working = searchOf(500)
  const pages = new HitPages(
    async (page, signal) => {
      if (fails) throw new Error('no')
      return working(page, signal)
    },
    () => {
      changes += 1
    }
  )
  pages.show(0, 30)
  await settled(pages)
  expect(pages.error).toBeInstanceOf(Error)
  fails = false
  pages.retry()
  await settled(pages)
  expect([pages.error, pages.at(0)?.index]).toEqual([null, 0])
  pages.close()
  changes = 0
  pages.show(300, 330)
  await settled(pages)
  expect([changes, pages.at(300)]).toEqual([0, undefined])
})
