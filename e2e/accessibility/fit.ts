/** Whether a window of a size shows all that it has: nothing cut off, covered or out of reach. */
import type { Page } from 'playwright-core'

/** What does not fit, one line each: sideways scrolling, controls that are cut off, covered or outside, and scrolled areas too low to use. */
export function misfits(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const problems: string[] = []
    const tolerance = 1.5
    const name = (element: Element) => {
      const text = element.getAttribute('aria-label') ?? element.textContent ?? ''
      const testid = element.getAttribute('data-testid')
      return `<${element.tagName.toLowerCase()}${testid === null ? '' : ` data-testid="${testid}"`} class="${element.getAttribute('class') ?? ''}"> “${text.trim().replaceAll(/\s+/g, ' ').slice(0, 60)}”`
    }
    const { innerWidth: width, innerHeight: height } = window
    const page = document.scrollingElement
    if (page !== null && page.scrollWidth > width) problems.push(`the page scrolls sideways: ${page.scrollWidth} px wide`)
    if (page !== null && page.scrollHeight > height) problems.push(`the page scrolls: ${page.scrollHeight} px high`)

    const top = document.querySelector('[role="dialog"], [role="menu"]') ?? document.body
    // Panes scroll down, never sideways; what is wider than a pane scrolls in a frame of its own.
    if (top === document.body) {
      for (const pane of document.querySelectorAll('main, main > *, main > * > *, header, footer')) {
        if (
          /^(auto|scroll)$/.test(getComputedStyle(pane).overflowX) &&
          pane.scrollWidth > pane.clientWidth + tolerance &&
          pane.querySelector('button, input, a') !== null &&
          pane.querySelector(':scope > table') === null
        ) {
          const edge = pane.getBoundingClientRect().right + tolerance
          const wide = [...pane.querySelectorAll('*')].filter(element => element.getBoundingClientRect().right > edge)
          const widest = wide.find(element => !wide.some(other => other !== element && element.contains(other))) ?? pane
          problems.push(
            `a pane scrolls sideways, ${pane.scrollWidth} in ${pane.clientWidth} px, with ${name(widest)}: ${name(pane).slice(0, 90)}`
          )
        }
      }
    }

    const low = new Set<Element>()
    for (const control of top.querySelectorAll<HTMLElement>('a[href], button, input, select, textarea, summary, [tabindex="0"]')) {
      if (!control.checkVisibility({ visibilityProperty: true }) || control.closest('.visually-hidden') !== null) continue
      let box = control.getBoundingClientRect()
      if (box.width === 0 || box.height === 0) continue
      let isScrolledAway = false
      let isCut = false
      for (let frame = control.parentElement; frame !== null && !isCut; frame = frame.parentElement) {
        const style = getComputedStyle(frame)
        const outer = frame.getBoundingClientRect()
        const clips = (overflow: string) => overflow !== 'visible'
        const scrolls = (overflow: string) => overflow === 'auto' || overflow === 'scroll'
        let { left, right, top: above, bottom: below } = box
        // A text that goes on behind an ellipsis begins where it is seen.
        const shortens = style.textOverflow === 'ellipsis' && left >= outer.left - tolerance
        if (clips(style.overflowX) && (left < outer.left - tolerance || right > outer.right + tolerance)) {
          if (scrolls(style.overflowX)) isScrolledAway = true
          else if (!shortens) isCut = true
          ;[left, right] = [outer.left, outer.right]
        }
        if (clips(style.overflowY) && (above < outer.top - tolerance || below > outer.bottom + tolerance)) {
          if (scrolls(style.overflowY)) isScrolledAway = true
          else isCut = true
          ;[above, below] = [outer.top, outer.bottom]
        }
        if (scrolls(style.overflowY) && frame.scrollHeight > frame.clientHeight + 8 && frame.clientHeight < 64) low.add(frame)
        if (isCut) problems.push(`cut off by ${name(frame).slice(0, 80)}: ${name(control)}`)
        box = new DOMRect(left, above, right - left, below - above)
        if (style.position === 'fixed') break
      }
      if (isCut) continue
      if (
        !isScrolledAway &&
        (box.left < -tolerance || box.top < -tolerance || box.right > width + tolerance || box.bottom > height + tolerance)
      )
        problems.push(`outside of the window at ${[box.left, box.top, box.right, box.bottom].map(Math.round).join(' ')}: ${name(control)}`)
      if (isScrolledAway) continue
      const at = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2)
      const label = control.closest('label')
      // A column that stays in sight covers what is scrolled beside it.
      if (at !== null && getComputedStyle(at).position === 'sticky' && at.closest('table') === control.closest('table')) continue
      if (
        at !== null &&
        !control.contains(at) &&
        !at.contains(control) &&
        !(label?.contains(at) ?? false) &&
        at.closest('[data-testid="toast"]') === null
      )
        problems.push(`covered by ${name(at).slice(0, 80)}: ${name(control)}`)
    }
    for (const frame of low) problems.push(`an area that scrolls is only ${frame.clientHeight} px high: ${name(frame).slice(0, 90)}`)
    return problems
  })
}
