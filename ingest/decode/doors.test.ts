import { expect, test } from 'vitest'
import { decodeDoors } from './doors.ts'

const DEVICE = 'a840410001180f3e'
const NOW_MS = Date.UTC(2026, 10, 20, 10, 20)
const AT_MS = Date.UTC(2026, 10, 20, 10, 15)
const event = { device: DEVICE, at: AT_MS, state: 'open' }
const accepted = { item: 0, device: DEVICE, atMs: AT_MS, state: 'open' }

function decode(payload: unknown) {
  return decodeDoors(Buffer.from(JSON.stringify(payload)), { receivedAtMs: NOW_MS })
}

test('an object with events, a bare array, a single event', () => {
  expect(decode({ boot: 'a', seq: 3, events: [event] })).toMatchObject({
    envelope: { boot: 'a', seq: 3, notes: [] },
    items: [accepted],
    rejects: [],
  })
  expect(decode([event, { ...event, state: 'closed' }]).items).toEqual([
    accepted,
    { ...accepted, item: 1, state: 'closed' },
  ])
  expect(decode(event).items).toEqual([accepted])
  expect(decode({ ...event, at: undefined }).items).toEqual([{ ...accepted, atMs: null }])
})

test.each(['OPEN', 'ajar', '', true, null, undefined])('state %j is invalid', (state) => {
  const { items, rejects } = decode({ events: [event, { ...event, state }] })
  expect(items).toEqual([accepted])
  const detail = expect.stringMatching(/^events\[1\]\.state: expected one of "open", "closed", got /)
  expect(rejects).toEqual([{ item: 1, reason: 'invalid', detail, device: DEVICE, at: AT_MS }])
})

test('the clock is judged as for readings', () => {
  expect(decode({ ...event, at: AT_MS / 1000 }).rejects[0]).toMatchObject({
    reason: 'clock',
    detail: expect.stringContaining('it looks like seconds'),
  })
})

test('0 and 1,001 events are invalid whole, 1,000 are taken', () => {
  const events = Array.from({ length: 1_000 }, () => event)
  expect(decode({ events }).items).toHaveLength(1_000)
  for (const wrong of [[], [...events, event]]) {
    expect(decode({ events: wrong })).toMatchObject({
      items: [],
      rejects: [{ item: null, reason: 'invalid' }],
    })
  }
})

test.each([null, 'open', {}, { readings: [event] }, { events: 'open' }])('%j is malformed', (payload) => {
  expect(decode(payload)).toMatchObject({ items: [], rejects: [{ item: null, reason: 'malformed' }] })
})
