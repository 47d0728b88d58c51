import { expect, test } from 'vitest'
import { boundedText } from './bounded-text.ts'

test('an answer within its bound is its text, in however many pieces', async () => {
  const bytes = [...Buffer.from('wörm')]
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      const byte = bytes.shift()
      if (byte === undefined) controller.close()
      else controller.enqueue(Uint8Array.of(byte))
    }
  })
  expect(await boundedText(new Response(body), 5)).toBe('wörm')
  expect(await boundedText(new Response(null), 5)).toBe('')
})

test('an answer that does not end is left where it is too long', async () => {
  let sent = 0
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      sent += 1
      controller.enqueue(new Uint8Array(1000))
    }
  })
  await expect(boundedText(new Response(body), 10_000)).rejects.toThrow('more than 10000 bytes')
  expect(sent).toBeLessThan(20)
})
