/** What axe-core finds wrong with a page. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import { z } from 'zod'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const findings = z.array(
  z.object({
    id: z.string(),
    impact: z.string().nullish(),
    help: z.string(),
    nodes: z.array(z.object({ html: z.string(), target: z.array(z.unknown()), failureSummary: z.string().optional() }))
  })
)
/** Elements named for one violation; the others are counted. */
const most = 4

/**
 * The serious and critical violations of everything on the page, one line each. axe-core is evaluated through the debugger, as the driver's
 * own scripts are: the page's content security policy stays as it is.
 */
export async function seriousViolations(page: Page): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe)
  const found = await page.evaluate(
    // `preload` would fetch stylesheets that axe can read on the page anyway.
    `axe.run(document, { resultTypes: ['violations'], preload: false }).then(({ violations }) =>
      violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, nodes: nodes.map(({ html, target, failureSummary }) => ({ html, target, failureSummary })) })))`
  )
  return findings
    .parse(found)
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, impact, help, nodes }) => {
      const places = nodes
        .slice(0, most)
        .map(
          ({ html, target, failureSummary }) =>
            `\n    ${target.join(' ')}  ${html.slice(0, 160)}\n      ${(failureSummary ?? '').replaceAll(/\s+/g, ' ')}`
        )
      return `${impact} ${id}: ${help}${places.join('')}${nodes.length > most ? `\n    and ${nodes.length - most} more` : ''}`
    })
}
