import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseArguments, parseLink } from './request-parser.ts'

describe('a link', () => {
  test('names a model and SAEs on this disk', () => {
    expect(parseLink('splice://open?model=%2Fmodels%2Fgemma%202&sae=/saes/a&sae=/saes/b@x')).toEqual({
      kind: 'link',
      model: '/models/gemma 2',
      saes: ['/saes/a', '/saes/b@x']
    })
    expect(parseLink('SPLICE://open/?sae=/saes/a')).toEqual({ kind: 'link', model: undefined, saes: ['/saes/a'] })
  })

  test('is the address of a view', () => {
    for (const hash of ['#/compare', '#/explanations?q=decept&mode=words', '#/feature/gemma-2-2b/20-gemmascope-res-16k/10004']) {
      expect(parseLink(`splice://app/${hash}`)).toEqual({ kind: 'address', hash })
      expect(parseLink(`splice://app${hash}`)).toEqual({ kind: 'address', hash })
    }
  })

  test.each([
    ['splice://open', 'it names neither a model nor an SAE'],
    ['splice://open?model=relative/folder', 'its model is not the full path of a folder on this machine'],
    ['splice://open?model=~/folder', 'its model is not the full path'],
    ['splice://open?model=', 'its model is not the full path'],
    ['splice://open?model=//server/share', 'its model is not the full path'],
    ['splice://open?model=%5C%5Cserver%5Cshare', 'its model is not the full path'],
    ['splice://open?sae=/saes/a%00b', 'its sae is not the full path'],
    ['splice://open?sae=/saes/a%0Ab', 'its sae is not the full path'],
    ['splice://open?model=/a&model=/b', 'its model'],
    [`splice://open?${'sae=/a&'.repeat(9)}`, 'its sae'],
    [`splice://open?model=/${'a'.repeat(5000)}`, 'its model'],
    ['splice://open?model=/a&run=1', 'it asks for run'],
    ['splice://open?model=/a&__proto__=1', 'it asks for __proto__'],
    ['splice://open/run?model=/a', 'open is nothing that a link may ask for'],
    ['splice://open?model=/a#/compare', 'open is nothing that a link may ask for'],
    ['splice://run?prompt=x', 'run is nothing that a link may ask for'],
    ['splice:open?model=/a', 'this is nothing that a link may ask for'],
    ['splice://user:word@open?model=/a', 'it has more than a place and a query'],
    ['splice://open:80?model=/a', 'it has more than a place and a query'],
    ['splice://app/index.html#/compare', 'app is nothing that a link may ask for'],
    ['splice://app/?x=1#/compare', 'app is nothing that a link may ask for'],
    ['splice://app/#compare', 'what follows # is not the address of a view'],
    ['splice://app/#/../x', 'what follows # is not the address of a view'],
    ['splice://app/', 'what follows # is not the address of a view'],
    ['https://example.org/', 'it is not a splice: link'],
    ['splice://[', 'it is not a splice: link'],
    ['', 'it is not a splice: link']
  ])('%s is refused with its reason', (link, reason) => {
    const request = parseLink(link)
    expect(request.kind).toBe('refused')
    expect(request).toMatchObject({ message: expect.stringContaining(`The link was not opened: ${reason}`) })
  })
})

describe('a command line', () => {
  test('names files and links; options are Chromium’s', () => {
    const folder = path.resolve('/home/someone')
    expect(parseArguments(['--no-sandbox', 'model', '/saes/a.safetensors', 'splice://app/#/runs', ''], folder)).toEqual([
      { kind: 'address', hash: '#/runs' },
      { kind: 'files', paths: [path.join(folder, 'model'), path.resolve('/saes/a.safetensors')] }
    ])
    expect(parseArguments(['--inspect'], folder)).toEqual([])
  })
})
