/** The variables of both themes, from the page's own style sheets: a report has them both, whichever is in force here. */

export type ThemeVariables = { light: Readonly<Record<string, string>>; dark: Readonly<Record<string, string>> }

function variablesOf(rule: CSSStyleRule): Record<string, string> {
  return Object.fromEntries(
    Array.from(rule.style)
      .filter(name => name.startsWith('--'))
      .map(name => [name, rule.style.getPropertyValue(name).trim()])
  )
}

/** What `theme.css` sets on the root, for each theme; dark has light's where it sets none. */
export function themeVariables(sheets: Iterable<CSSStyleSheet> = document.styleSheets): ThemeVariables {
  let light: Record<string, string> = {}
  let dark: Record<string, string> = {}
  for (const sheet of sheets) {
    for (const rule of sheet.cssRules) {
      if (!(rule instanceof CSSStyleRule)) continue
      if (rule.selectorText === ':root') light = { ...light, ...variablesOf(rule) }
      else if (/^:root\[data-theme=["']?dark["']?\]$/.test(rule.selectorText)) dark = { ...dark, ...variablesOf(rule) }
    }
  }
  return { light, dark: { ...light, ...dark } }
}
