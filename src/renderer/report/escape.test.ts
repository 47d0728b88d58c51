import { expect, test } from 'vitest'
import { Html, html } from './escape.ts'
import { reportStyle } from './report-style.ts'

test('what is put into a template stays text, in elements and in attributes', () => {
  const evil = `"><script>alert('x')</script>&amp;\u0000\ud800`
  expect(html`<b title="${evil}">${evil}</b>`.text).toBe(
    '<b title="&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;\ufffd\ufffd">&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;\ufffd\ufffd</b>'
  )
  expect(html`${new Html('<i>')}${[html`a`, html`${'<'}`]}${null}${3}`.text).toBe('<i>a&lt;3')
})

test('a style has both themes, and no variable ends it', () => {
  const style = reportStyle({ light: { '--panel': '#fff', '--bad': '</style>' }, dark: { '--panel': '#000' } })
  expect(style).toContain('prefers-color-scheme:dark')
  expect(style).toContain('--panel:#000')
  expect(style).not.toContain('</style>')
})
