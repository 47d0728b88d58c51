/** A walk through a page by Tab alone, as of who has no mouse. */
import type { Page } from 'playwright-core'

/** Steps after which a walk that has not come round is given up, and how many are made before it is asked whether it has. */
const mostSteps = 900
const stepsAtOnce = 8

/** What the page keeps of a walk. */
interface Walk {
  readonly visited: Set<Element>
  /** Stops whose focus was not seen. */
  readonly unseen: Element[]
  isRound: boolean
  heard(event: FocusEvent): void
}

declare global {
  interface Window {
    tabWalk?: Walk
  }
}

/**
 * Presses Tab until it comes round. Gives what is wrong, one line each: controls that were never reached, and stops whose focus is not seen.
 * A dialog that is open is the whole page; a menu is walked by arrow keys alone.
 */
export async function walkByTab(page: Page): Promise<string[]> {
  if ((await page.locator('[role="menu"]').count()) > 0) {
    await page.keyboard.press('ArrowDown')
    const isOnItem = await page.evaluate(() => document.activeElement?.matches('[role="menu"] [role^="menuitem"]') === true)
    return isOnItem ? [] : ['the arrow keys do not reach the items of the menu']
  }
  await page.evaluate(begin)
  try {
    for (let step = 0; step < mostSteps; step += stepsAtOnce) {
      for (let press = 0; press < stepsAtOnce; press++) await page.keyboard.press('Tab')
      if (
        await page.evaluate(
          () =>
            window.tabWalk?.isRound === true ||
            (window.tabWalk?.visited.size === 1 && window.tabWalk.visited.has(document.activeElement ?? document.body))
        )
      )
        break
      if (step + stepsAtOnce >= mostSteps) return ['Tab does not come round', ...(await page.evaluate(findings))]
    }
    return await page.evaluate(findings)
  } finally {
    await page.evaluate(() => window.tabWalk && document.removeEventListener('focusin', window.tabWalk.heard))
  }
}

/** Runs in the page: listens for the stops. */
function begin(): void {
  const dialog = document.querySelector('[role="dialog"]')
  const walk: Walk = {
    visited: new Set(),
    unseen: [],
    isRound: false,
    heard: ({ target }) => {
      if (!(target instanceof HTMLElement)) return
      // What shows the focus of a hidden field is its label.
      const seen = target.classList.contains('visually-hidden') ? (target.closest('label') ?? target) : target
      const { outlineStyle, outlineWidth } = getComputedStyle(seen)
      // A separator shows it by the line that is drawn in it, which is not seen otherwise.
      const line = getComputedStyle(target, '::after')
      const isDrawn = target.role === 'separator' && line.opacity === '1' && line.backgroundColor !== 'rgba(0, 0, 0, 0)'
      if ((outlineStyle === 'none' || outlineWidth === '0px') && !isDrawn && !walk.unseen.includes(target)) walk.unseen.push(target)
      walk.isRound ||= walk.visited.has(target)
      walk.visited.add(target)
    }
  }
  // A dialog has the focus already; where it holds one control alone, Tab stays on it.
  if (dialog?.contains(document.activeElement) && document.activeElement !== null) walk.visited.add(document.activeElement)
  else if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
  window.tabWalk = walk
  document.addEventListener('focusin', walk.heard)
}

/** Runs in the page: what the walk found wrong. */
function findings(): string[] {
  const { visited, unseen } = window.tabWalk ?? { visited: new Set<Element>(), unseen: [] }
  const name = (element: Element) => {
    const testid = element.getAttribute('data-testid')
    const text = (element.getAttribute('aria-label') ?? element.textContent ?? '').trim().replaceAll(/\s+/g, ' ').slice(0, 60)
    return `<${element.tagName.toLowerCase()}${testid === null ? '' : ` data-testid="${testid}"`} class="${element.getAttribute('class') ?? ''}"> “${text}”`
  }
  const scope = document.querySelector('[role="dialog"]') ?? document.body
  const problems = unseen.map(element => `the focus is not seen: ${name(element)}`)
  const radioNames = new Set(
    [...visited].map(element => (element instanceof HTMLInputElement && element.type === 'radio' ? element.name : ''))
  )
  for (const control of scope.querySelectorAll<HTMLElement>('a[href], button, input, select, textarea, summary, [tabindex="0"]')) {
    if (visited.has(control) || !control.checkVisibility({ visibilityProperty: true })) continue
    if (control.matches(':disabled, [tabindex="-1"], [aria-hidden="true"] *')) continue
    // Of radios with one name, Tab stops at one.
    if (control instanceof HTMLInputElement && control.type === 'radio' && radioNames.has(control.name)) continue
    problems.push(`Tab does not reach ${name(control)}`)
  }
  // Of what is walked by arrow keys inside, at least one place is a stop.
  for (const group of scope.querySelectorAll('[role="listbox"], [role="grid"], [role="tablist"], [role="tree"], [role="radiogroup"]')) {
    if (!group.checkVisibility() || group.firstElementChild === null) continue
    // A list may be walked from the box above it.
    const isStop = (element: Element) => group.contains(element) || (group.id !== '' && element.getAttribute('aria-controls') === group.id)
    if (![...visited].some(isStop)) problems.push(`Tab does not stop inside ${name(group)}`)
  }
  return problems
}
