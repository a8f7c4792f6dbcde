import { expect, test } from 'vitest'
import { decodeStatus } from './status.ts'

const NOW_MS = Date.UTC(2026, 10, 20, 10, 20)

function decode(payload: unknown) {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
  return decodeStatus(Buffer.from(text), { receivedAtMs: NOW_MS })
}

test('every field is read', () => {
  expect(decode({ state: 'online', firmware: '1.4.2', queued: 17, sent_at: NOW_MS - 5, more: 1 })).toEqual({
    ok: true,
    status: { state: 'online', firmware: '1.4.2', queued: 17, sentAtMs: NOW_MS - 5, notes: [] },
  })
  expect(decode({ state: 'offline', firmware: null })).toEqual({
    ok: true,
    status: { state: 'offline', notes: [] },
  })
})

test.each([
  { firmware: '' },
  { firmware: 'a\u001b[31m' },
  { firmware: 'x'.repeat(65) },
  { firmware: 5 },
  { queued: -1 },
  { queued: '3' },
  { sent_at: 'now' },
  { sent_at: 0 },
])('%j is ignored and noted, the state stays', (fields) => {
  const [field] = Object.keys(fields)
  expect(decode({ state: 'online', ...fields })).toEqual({
    ok: true,
    status: {
      state: 'online',
      notes: [expect.stringMatching(new RegExp(`^${field}: expected .*; ignored$`))],
    },
  })
})

test.each([{ state: 'ONLINE' }, { state: true }, { firmware: '1' }, { state: null, queued: 1 }])(
  '%j is invalid',
  (payload) => {
    const detail = expect.stringMatching(/^state: expected one of "online", "offline", got /)
    expect(decode(payload)).toEqual({ ok: false, reject: { item: null, reason: 'invalid', detail } })
  },
)

test.each(['', 'online', '"online"', 'null', '[]', '{}', '{"status":"online"}'])(
  '%s is malformed',
  (payload) => {
    expect(decode(payload)).toMatchObject({ ok: false, reject: { item: null, reason: 'malformed' } })
  },
)
