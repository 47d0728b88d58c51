import { describe, expect, test } from 'vitest'
import { readListing } from './listing.ts'
import { readXml } from './listing-xml.ts'

const listing = (inside: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inside}</ListBucketResult>\n`
const contents = (key: string, size = '7', etag = '&quot;0123456789abcdef0123456789abcdef&quot;') =>
  `<Contents><Key>${key}</Key><LastModified>2025-10-01T00:00:00.000Z</LastModified><ETag>${etag}</ETag><Size>${size}</Size></Contents>`

describe('a listing', () => {
  test('is read as S3 writes it', () => {
    const xml = listing(
      `<Name>b</Name><Prefix>v1%2F</Prefix><NextContinuationToken>a&amp;b=</NextContinuationToken><KeyCount>2</KeyCount><Delimiter>/</Delimiter><Owner/><IsTruncated>true</IsTruncated>${contents('v1/a%26b+c%2Bd/x')}${contents('v1/%C3%BC', '0', 'abc-12')}<CommonPrefixes><Prefix>v1/gemma-2-2b/</Prefix></CommonPrefixes>`
    )
    expect(readListing(xml)).toEqual({
      objects: [
        { key: 'v1/a&b c+d/x', bytes: 7, etag: '0123456789abcdef0123456789abcdef' },
        { key: 'v1/ü', bytes: 0, etag: 'abc-12' }
      ],
      prefixes: ['v1/gemma-2-2b/'],
      next: 'a&b='
    })
    expect(readListing(listing('<IsTruncated>false</IsTruncated>'))).toEqual({ objects: [], prefixes: [], next: null })
  })

  test.each([
    ['another document', '<Error><Code>NoSuchBucket</Code></Error>'],
    ['a page of HTML', '<!DOCTYPE html><html><body>Sign in</body></html>'],
    ['a size that is none', listing(contents('a', 'many'))],
    ['an object without a key', listing('<Contents><Size>1</Size><ETag>"a"</ETag></Contents>')],
    ['an object without an ETag', listing('<Contents><Key>a</Key><Size>1</Size></Contents>')],
    ['a page that names no next one', listing('<IsTruncated>true</IsTruncated>')],
    ['a key that is badly encoded', listing(contents('%zz'))]
  ])('is refused where it is %s', (_, xml) => {
    expect(() => readListing(xml)).toThrow()
  })
})

describe('XML', () => {
  test('is elements and text, with the five entities and numbers', () => {
    expect(readXml('\ufeff<?xml version="1.0"?><a x="1" y=\'2\'><b>&lt;&#65;&#x42;&gt;&amp;&quot;&apos;</b><c/></a >')).toEqual({
      name: 'a',
      text: '',
      children: [
        { name: 'b', text: '<AB>&"\'', children: [] },
        { name: 'c', text: '', children: [] }
      ]
    })
  })

  test.each([
    ['nothing', ''],
    ['text alone', 'hello'],
    ['an element that is never closed', '<a><b></b>'],
    ['elements that cross', '<a><b></a></b>'],
    ['a second root', '<a/><b/>'],
    ['text after the root', '<a/>x'],
    ['text beside elements', '<a>x<b/></a>'],
    ['a document type', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'],
    ['an entity that nobody knows', '<a>&x;</a>'],
    ['a bare ampersand', '<a>a & b</a>'],
    ['a character that is none', '<a>&#0;</a>'],
    ['CDATA', '<a><![CDATA[x]]></a>'],
    ['a comment', '<a><!-- x --></a>'],
    ['an instruction', '<a><?php x ?></a>'],
    ['an attribute without a value', '<a b></a>'],
    ['a cut tag', '<a><b'],
    ['elements too deep', '<a>'.repeat(20) + '</a>'.repeat(20)]
  ])('is refused where it is %s', (_, xml) => {
    expect(() => readXml(xml)).toThrow()
  })
})
