import { expect, test } from 'vitest'
import { browserName } from './about.ts'

test('a browser is named by its user agent', () => {
  const chrome = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/141.0.7390.54 Safari/537.36'
  expect(browserName(chrome)).toBe('Chromium 141.0.7390.54')
  expect(browserName('Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0')).toBe('Firefox 145.0')
  expect(browserName(`${chrome.replace('Headless', '')} Edg/141.0.1`)).toBe('Edge 141.0.1')
  expect(browserName('Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.2 Safari/605.1.15')).toBe('Safari 26.2')
  expect(browserName('something else')).toBe('something else')
})
