/** Whether odd content leaves the boxes that it belongs in. */
import type { Page } from 'playwright-core'

/** Text that is drawn outside of its panel, and strips whose boxes do not stand column by column, one line each. */
export function spills(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const problems: string[] = []
    const tolerance = 2
    const panels = '.panel, aside, main, header, footer, nav, [role="dialog"], section, article, td, button, .chip'
    const top = document.querySelector('[role="dialog"]') ?? document.body
    const shown = (text: string) => text.trim().replaceAll(/\s+/g, ' ').slice(0, 50)
    const range = document.createRange()
    const texts = document.createTreeWalker(top, NodeFilter.SHOW_TEXT)
    for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
      const parent = node.parentElement
      if (parent === null || (node.textContent ?? '').trim() === '' || !parent.checkVisibility({ visibilityProperty: true })) continue
      if (parent.closest('.visually-hidden, textarea, select, svg, [role="tooltip"], [data-testid="tooltip"]') !== null) continue
      range.selectNodeContents(node)
      const box = range.getBoundingClientRect()
      if (box.width === 0) continue
      for (let frame: Element | null = parent; frame !== null; frame = frame.parentElement) {
        const style = getComputedStyle(frame)
        // What is clipped, scrolled or shortened by an ellipsis stays inside.
        if (style.overflowX !== 'visible' || style.position === 'fixed') break
        if (!frame.matches(panels)) continue
        const outer = frame.getBoundingClientRect()
        if (box.right > outer.right + tolerance || box.left < outer.left - tolerance) {
          problems.push(
            `“${shown(node.textContent ?? '')}” leaves <${frame.tagName.toLowerCase()} class="${frame.getAttribute('class') ?? ''}">: ${Math.round(box.left)} to ${Math.round(box.right)} in ${Math.round(outer.left)} to ${Math.round(outer.right)}`
          )
          break
        }
      }
    }

    const columns = new Map<string, Set<string>>()
    for (const cell of document.querySelectorAll<HTMLElement>('[data-testid^="strip-"] [data-position]')) {
      const { left, width } = cell.getBoundingClientRect()
      const position = cell.dataset.position ?? ''
      columns.set(position, (columns.get(position) ?? new Set()).add(`${Math.round(left)} ${Math.round(width)}`))
      if (cell.scrollWidth > cell.clientWidth + tolerance)
        problems.push(`“${shown(cell.textContent ?? '')}” is wider than its box, ${cell.scrollWidth} in ${cell.clientWidth} px`)
      if (cell.scrollHeight > cell.clientHeight + tolerance)
        problems.push(`“${shown(cell.textContent ?? '')}” is higher than its box, ${cell.scrollHeight} in ${cell.clientHeight} px`)
    }
    for (const [position, places] of columns)
      if (places.size > 1) problems.push(`the boxes of position ${position} do not stand below each other: ${[...places].join(', ')}`)
    return [...new Set(problems)]
  })
}
