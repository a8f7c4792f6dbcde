import { expect, test } from 'vitest'
import { type EarlierMessage, spread } from './spread.ts'
import type { Delivery, PagingLimits } from './types.ts'

const NOW = Date.UTC(2026, 10, 20, 12)
const LIMITS: PagingLimits = {
  lastKnownAfterMs: 600_000,
  escalationMs: 900_000,
  singlesMax: 3,
  singlesWindowMs: 600_000,
  groupMs: 60_000,
}

const earlier = (...agoMs: number[]): EarlierMessage[] =>
  agoMs.map((ago) => ({
    organizationId: 1,
    channel: 'email',
    recipient: 'a@example.com',
    scheduledAtMs: NOW - ago,
  }))

function delivery(more: Partial<Delivery> = {}): Delivery {
  return {
    alertId: 1,
    organizationId: 1,
    contactId: 1,
    profileId: null,
    kind: 'page',
    escalationLevel: 1,
    channel: 'email',
    recipient: 'a@example.com',
    scheduledAtMs: NOW,
    isUnreachable: false,
    ...more,
  }
}

/** When a message of now goes, in milliseconds from now. */
const waitOf = (messages: EarlierMessage[], one = delivery()) =>
  (spread([one], messages, { nowMs: NOW, limits: LIMITS }).deliveries[0]?.scheduledAtMs ?? Number.NaN) - NOW

test('a message goes at once while there were few', () => {
  expect(waitOf([])).toBe(0)
  expect(waitOf(earlier(1_000, 2_000))).toBe(0)
})

test('after many it waits for a minute from the last one', () => {
  expect(waitOf(earlier(10_000, 20_000, 30_000))).toBe(50_000)
  expect(waitOf(earlier(70_000, 80_000, 90_000))).toBe(0)
})

test('it goes with the message that waits already', () => {
  expect(waitOf(earlier(10_000, 20_000, 30_000, -50_000))).toBe(50_000)
})

test('messages of other recipients, channels and organizations do not count', () => {
  const full = earlier(10_000, 20_000, 30_000)
  expect(waitOf(full, delivery({ recipient: 'b@example.com' }))).toBe(0)
  expect(waitOf(full, delivery({ channel: 'sms' }))).toBe(0)
  expect(waitOf(full, delivery({ organizationId: 2 }))).toBe(0)
})

test('messages of long ago do not count, nor what waits for the end of quiet hours', () => {
  expect(waitOf(earlier(10_000, 20_000, 600_000))).toBe(0)
  expect(waitOf(earlier(10_000, 20_000, -3_600_000))).toBe(0)
  expect(waitOf(earlier(10_000), delivery({ scheduledAtMs: NOW + 3_600_000 }))).toBe(3_600_000)
})

test('what is written at once goes as one message, all of it', () => {
  const storm = Array.from({ length: 10_000 }, (_, alertId) => delivery({ alertId }))
  const quick = spread(storm, earlier(1_000), { nowMs: NOW, limits: LIMITS })
  expect(new Set(quick.deliveries.map(({ scheduledAtMs }) => scheduledAtMs))).toEqual(new Set([NOW]))
  expect(quick).toMatchObject({ grouped: 0, deliveries: { length: 10_000 } })
  const slow = spread(storm, earlier(1_000, 2_000, 3_000), { nowMs: NOW, limits: LIMITS })
  expect(slow).toMatchObject({ grouped: 10_000, deliveries: { length: 10_000 } })
})

test('an alert storm of an hour: every alert is in a message, and there are few messages', () => {
  const sent: EarlierMessage[] = []
  let alerts = 0
  for (let atMs = NOW; atMs < NOW + 3_600_000; atMs += 5_000) {
    const due = [delivery({ alertId: alerts++, scheduledAtMs: atMs })]
    const { deliveries } = spread(due, sent, { nowMs: atMs, limits: LIMITS })
    sent.push(...deliveries)
    expect(deliveries[0]?.scheduledAtMs).toBeLessThanOrEqual(atMs + LIMITS.groupMs)
  }
  expect(sent).toHaveLength(720)
  expect(new Set(sent.map(({ scheduledAtMs }) => scheduledAtMs)).size).toBeLessThanOrEqual(3 + 60 + 1)
})
