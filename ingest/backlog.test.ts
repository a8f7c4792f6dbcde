import { expect, test } from 'vitest'
import type { Arrival, Principal } from '../broker/types.ts'
import { isBacklog } from './backlog.ts'
import { draftMessage } from './draft.ts'
import { testArrival } from './testing/messages.ts'

const PRINCIPAL: Principal = {
  kind: 'hub',
  name: 'hub-1',
  username: 'hub-1',
  organizationId: 1,
  id: 1,
  credentialHash: '',
}
const DEVICE = '24e124136b502f4a'
const RECEIVED_MS = Date.UTC(2026, 10, 21)
const AGE_MS = 300_000

function isOld(
  channel: 'readings' | 'doors' | 'status',
  payload: unknown,
  change: Partial<Arrival> = {},
): boolean {
  const arrival = testArrival(PRINCIPAL, channel, payload, { receivedAt: RECEIVED_MS, ...change })
  return isBacklog(
    draftMessage(arrival, () => {}),
    AGE_MS,
  )
}

function reading(agoMs: number | null) {
  return { device: DEVICE, temperature: 4, ...(agoMs === null ? {} : { at: RECEIVED_MS - agoMs }) }
}

test('readings are old when all of them were measured longer ago than the limit', () => {
  expect(isOld('readings', [reading(AGE_MS + 1), reading(9 * AGE_MS)])).toBe(true)
  expect(isOld('readings', [reading(AGE_MS)])).toBe(false)
  expect(isOld('readings', [reading(9 * AGE_MS), reading(1_000)])).toBe(false)
  expect(isOld('readings', [reading(-3_600_000)])).toBe(false)
})

test('a reading without a time was measured just now', () => {
  expect(isOld('readings', [reading(null)])).toBe(false)
  expect(isOld('readings', [reading(9 * AGE_MS), reading(null)])).toBe(false)
})

test('door events, statuses, last wills and messages of which nothing is left are live', () => {
  const event = { device: DEVICE, at: RECEIVED_MS - 9 * AGE_MS, state: 'open' }
  expect(isOld('doors', { events: [event] })).toBe(false)
  expect(isOld('status', { state: 'online', sent_at: RECEIVED_MS - 9 * AGE_MS })).toBe(false)
  expect(isOld('readings', [reading(9 * AGE_MS)], { isWill: true })).toBe(false)
  expect(isOld('readings', 'no JSON')).toBe(false)
  expect(isOld('readings', [{ ...reading(9 * AGE_MS), temperature: 900 }])).toBe(false)
})
