/** The colours of text on every surface that it stands on, in both themes. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { contrast, parseHexColor } from './charts/scales.ts'

const css = readFileSync(new URL('theme.css', import.meta.url), 'utf8')
const texts = ['text', 'text-muted', 'text-faint', 'accent', 'good', 'warning', 'error']
const surfaces = ['window', 'panel', 'raised', 'hover', 'accent-soft', 'warning-soft', 'error-soft']

/** The variables of a block of the stylesheet, by name. */
function variablesOf(selector: string): Map<string, string> {
  const block = css.slice(css.indexOf(`${selector} {`)).split('}')[0] ?? ''
  return new Map([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name = '', value = '']) => [name, value]))
}

const light = variablesOf(':root')
const themes = { light, dark: new Map([...light, ...variablesOf(':root[data-theme="dark"]')]) }

test.each(Object.entries(themes))('%s text reads on every surface, at 4.5:1 or more', (_, variables) => {
  const weak = texts.flatMap(text =>
    surfaces.flatMap(surface => {
      const [one, other] = [variables.get(text), variables.get(surface)]
      if (one === undefined || other === undefined) return [`--${text} or --${surface} is no colour`]
      const ratio = contrast(parseHexColor(one), parseHexColor(other))
      return ratio >= 4.5 ? [] : [`--${text} on --${surface}: ${ratio.toFixed(2)}`]
    })
  )
  expect(weak).toEqual([])
})
