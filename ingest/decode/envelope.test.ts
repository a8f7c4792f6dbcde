import { describe, expect, test } from 'vitest'
import { decodeReadings } from './readings.ts'

const NOW_MS = Date.UTC(2026, 10, 20, 10, 20)
const AT_MS = Date.UTC(2026, 10, 20, 10, 15)
const reading = { device: '24e124136b502f4a', at: AT_MS, temperature: 3.42 }

function decode(payload: unknown) {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
  return decodeReadings(Buffer.from(text), { receivedAtMs: NOW_MS })
}

describe('boot, seq and sent_at', () => {
  test.each([
    ['boot', 12, 'boot: expected a string of 1 to 64 characters without control characters, got 12; ignored'],
    ['boot', '', undefined],
    ['boot', 'x'.repeat(65), undefined],
    ['boot', 'a\u0000b', undefined],
    ['boot', 'a\u0085b', undefined],
    ['boot', '\ud800', undefined],
    ['seq', -1, 'seq: expected a whole number from 0 to 9007199254740991, got -1; ignored'],
    ['seq', 1.5, undefined],
    ['seq', '7', undefined],
    ['seq', 2 ** 53, undefined],
    ['sent_at', true, undefined],
    ['sent_at', '2026-11-20T10:15:02', undefined],
    ['sent_at', 5, undefined],
  ])('a bad %s (%j) is ignored and noted, the readings stay', (field, value, note) => {
    const good = { boot: 'a', seq: 1, sent_at: AT_MS }
    const { envelope, items } = decode({ ...good, [field]: value, readings: [reading] })
    expect(items).toHaveLength(1)
    const { notes, ...kept } = envelope
    const decoded = { boot: 'a', seq: 1, sentAtMs: AT_MS }
    const rest = Object.entries(decoded).filter(
      ([name]) => name !== (field === 'sent_at' ? 'sentAtMs' : field),
    )
    expect(kept).toEqual(Object.fromEntries(rest))
    expect(notes).toEqual([note ?? expect.stringMatching(new RegExp(`^${field}: expected .*; ignored$`))])
  })

  test('null means absent, 64 characters count as code points, -0 is 0', () => {
    const boot = '🧊'.repeat(64)
    expect(decode({ boot, seq: null, sent_at: null, readings: [reading] }).envelope).toEqual({
      boot,
      notes: [],
    })
    expect(Object.is(decode('{"seq":-0,"readings":[{}]}').envelope.seq, 0)).toBe(true)
  })
})
