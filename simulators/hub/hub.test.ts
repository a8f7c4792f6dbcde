import { describe, expect, test } from 'vitest'
import { noFaults } from '../faults/fault-counts.ts'
import { Ledger } from '../ledger/ledger.ts'
import { type FakeLink, fakeLinks, loseLink } from '../testing/fake-links.ts'
import { DEVICES, START_MS } from '../testing/messages.ts'
import { ratesWith } from '../testing/rates.ts'
import type { FaultRates, Measurement } from '../types.ts'
import { Hub } from './hub.ts'
import { RunCounts } from './run-counts.ts'

const SECOND = 1_000
/** Longer than any wait before a new attempt to connect. */
const MINUTE = 60 * SECOND

function setUp(
  options: { rates?: Partial<FaultRates>; publisher?: string; bufferMessagesMax?: number } = {},
) {
  const { publisher = 'hub-1', rates = {}, bufferMessagesMax = 100 } = options
  const { openLink, opened } = fakeLinks()
  const subject = { organization: 'acme', devices: DEVICES, clients: [publisher], startedAtMs: START_MS }
  const refused: string[] = []
  const parts = { ledger: new Ledger(subject), counts: new RunCounts(), faultCounts: noFaults() }
  const hub = new Hub({
    ...parts,
    publisher,
    secret: 'secret',
    seed: 1,
    rates: ratesWith(rates),
    limits: { readingsPerMessageMax: 2, batchMs: 0, inFlightMax: 2, bufferMessagesMax },
    startMs: START_MS,
    connectAtMs: START_MS,
    openLink,
    onRefused: (name, reason) => refused.push(`${name}: ${reason}`),
  })
  return { hub, opened, refused, ...parts }
}

function measured(atMs: number, temperature = 4): Measurement {
  return { kind: 'reading', devEui: DEVICES[0], measuredAtMs: atMs, temperature }
}

/** The link that was opened last. */
function newest(opened: readonly FakeLink[]): FakeLink {
  const link = opened.at(-1)
  if (!link) throw new Error('No link was opened')
  return link
}

/** What was published on a link, without the hub's status. */
const data = (link: FakeLink) => link.published.filter(({ topic }) => !topic.endsWith('/status'))

const seqs = (link: FakeLink) => data(link).map(({ payload }) => JSON.parse(payload).seq as number)

test('connects with its log-in and last will, subscribes, says that it is online, and publishes', () => {
  const { hub, opened, counts, ledger } = setUp()
  hub.tick(START_MS, [measured(START_MS)])
  const link = newest(opened)
  expect(link.logIn).toEqual({
    username: 'hub-1',
    password: 'secret',
    will: { topic: 'v1/hubs/hub-1/status', payload: '{"state":"offline"}' },
  })
  expect(link.published).toEqual([])
  link.events.opened()
  expect(link.subscribed).toEqual(['rejected', 'receipt', 'commands'].map((name) => `v1/hubs/hub-1/${name}`))
  expect(JSON.parse(link.published[0]?.payload ?? '')).toMatchObject({ state: 'online', queued: 1 })
  expect(data(link)).toHaveLength(1)
  expect(ledger.readings).toMatchObject({ published: 1, acknowledged: 0 })
  data(link)[0]?.acknowledge()
  expect(ledger.readings.acknowledged).toBe(1)
  expect(counts).toMatchObject({ publishes: 1, acknowledged: 1, connected: 1 })
  expect(hub.buffered).toBe(0)
})

test('a device of its own has no will, no status and no subscriptions', () => {
  const { hub, opened } = setUp({ publisher: `device:${DEVICES[0]}` })
  hub.tick(START_MS, [measured(START_MS), measured(START_MS + 2)])
  const link = newest(opened)
  link.events.opened()
  expect(link.logIn.will).toBeUndefined()
  expect(link.subscribed).toEqual([])
  expect(link.published.map(({ payload }) => JSON.parse(payload).at)).toEqual([START_MS, START_MS + 2])
})

describe('a lost connection', () => {
  test('what is not acknowledged goes again with the same bytes, before anything newer', () => {
    const { hub, opened, ledger, counts } = setUp()
    for (let second = 0; second < 3; second++) {
      hub.tick(START_MS + second * SECOND, [measured(START_MS + second * SECOND)])
    }
    const first = newest(opened)
    first.events.opened()
    expect(seqs(first)).toEqual([0, 1])
    data(first)[0]?.acknowledge()
    expect(seqs(first)).toEqual([0, 1, 2])
    loseLink(first, 'the cable')
    hub.tick(START_MS + MINUTE, [measured(START_MS + MINUTE)])
    const second = newest(opened)
    expect(second).not.toBe(first)
    second.events.opened()
    expect(data(second).map(({ payload }) => payload)).toEqual(
      data(first)
        .slice(1)
        .map(({ payload }) => payload),
    )
    data(second)[0]?.acknowledge()
    expect(seqs(second)).toEqual([1, 2, 3])
    expect(counts).toMatchObject({ failed: 2, connectionsLost: 1, connected: 1 })
    expect(ledger.readings).toMatchObject({ published: 4, acknowledged: 2, sentAgain: 2 })
  })

  test('an acknowledgement that comes after the end of its connection counts for nothing', () => {
    const { hub, opened, ledger } = setUp()
    hub.tick(START_MS, [measured(START_MS)])
    const link = newest(opened)
    link.events.opened()
    const late = data(link)[0]
    loseLink(link, 'the cable')
    late?.acknowledge()
    expect(ledger.readings.acknowledged).toBe(0)
    expect(hub.buffered).toBe(1)
  })

  test('the pauses between attempts grow, and shrink again after a connection', () => {
    const { hub, opened } = setUp()
    const attempts: number[] = []
    for (let at = START_MS; at < START_MS + 10 * MINUTE; at += 50) {
      const before = opened.length
      hub.tick(at, [])
      if (opened.length === before) continue
      attempts.push(at)
      const link = newest(opened)
      if (opened.length === 12) link.events.opened()
      loseLink(link, 'no broker')
    }
    const pauses = attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0))
    expect(pauses[0]).toBeLessThanOrEqual(550)
    expect(Math.max(...pauses)).toBeGreaterThan(15_000)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30_050)
    expect(pauses[11]).toBeLessThanOrEqual(550)
  })
})

test('a full buffer drops the oldest, and the ledger knows', () => {
  const { hub, opened, ledger, counts } = setUp({ bufferMessagesMax: 3 })
  hub.tick(START_MS, [measured(START_MS)])
  newest(opened).events.opened()
  loseLink(newest(opened), 'the cable')
  for (let second = 1; second < 6; second++)
    hub.tick(START_MS + second, [measured(START_MS + second * SECOND)])
  expect(hub.buffered).toBe(3)
  expect(counts.dropped).toBe(3)
  expect(ledger.readings).toMatchObject({ published: 1, dropped: 1, droppedUnsent: 2 })
})

describe('a reboot', () => {
  /** Ticks until the hub has rebooted, and measures nothing meanwhile; returns that time. */
  function untilReboot({ hub, faultCounts }: ReturnType<typeof setUp>, fromMs: number): number {
    let nowMs = fromMs
    while (faultCounts.reboot === 0) {
      nowMs += SECOND
      hub.tick(nowMs, [])
    }
    return nowMs
  }

  test('begins a new boot and counts from 0; the messages of before keep their number, or are dropped', () => {
    const seen = { kept: false, lost: false }
    for (let seed = 1; seed < 40 && !(seen.kept && seen.lost); seed++) {
      // Another publisher has another stream of faults.
      const parts = setUp({ rates: { reboot: 2 }, publisher: `hub-${seed}` })
      const { hub, opened, ledger, counts } = parts
      hub.tick(START_MS, [measured(START_MS)])
      const rebootMs = untilReboot(parts, START_MS)
      hub.tick(rebootMs + 1, [measured(rebootMs + 1)])
      expect(counts.unheard).toBe(1)
      const restarts = opened.length
      hub.tick(rebootMs + MINUTE, [measured(rebootMs + MINUTE)])
      expect(opened.length).toBeGreaterThan(restarts)
      const link = newest(opened)
      link.events.opened()
      const numbers = data(link).map(({ payload }) => JSON.parse(payload))
      const before = numbers.filter(({ boot }) => String(boot).endsWith('-1'))
      const after = numbers.filter(({ boot }) => !String(boot).endsWith('-1'))
      expect(after).toMatchObject([{ seq: 0 }])
      expect(before).toHaveLength(1 - ledger.readings.droppedUnsent)
      if (before.length > 0) seen.kept = true
      else seen.lost = true
    }
    expect(seen).toEqual({ kept: true, lost: true })
  })
})

test('flapping cuts the connection, also while something is in flight, and nothing is given up', () => {
  const { hub, opened, counts, ledger, faultCounts } = setUp({ rates: { flapping: 120 } })
  let sent = 0
  for (let nowMs = START_MS; nowMs < START_MS + 10 * MINUTE; nowMs += SECOND) {
    const link = opened.at(-1)
    for (const publish of link ? data(link) : []) publish.acknowledge()
    hub.tick(nowMs, [measured(nowMs)])
    sent += 1
    const now = newest(opened)
    if (now.isOpen && !hub.isOnline) now.events.opened()
  }
  expect(faultCounts.flapping).toBeGreaterThan(1)
  expect(counts.connectionsLost).toBeGreaterThan(5)
  expect(counts.failed).toBeGreaterThan(0)
  expect(ledger.readings.acknowledged + hub.buffered).toBe(sent)
})

test('a duplicate goes again after its PUBACK, once', () => {
  const { hub, opened, ledger } = setUp({ rates: { duplicate: 1 } })
  hub.tick(START_MS, [measured(START_MS)])
  const link = newest(opened)
  link.events.opened()
  expect(data(link)).toHaveLength(1)
  data(link)[0]?.acknowledge()
  expect(data(link)).toHaveLength(2)
  expect(data(link)[1]?.payload).toBe(data(link)[0]?.payload)
  data(link)[1]?.acknowledge()
  expect(data(link)).toHaveLength(2)
  expect(ledger.readings).toMatchObject({ published: 1, acknowledged: 1, sentAgain: 1 })
})

test('the end: what is held goes out, then the hub says that it is offline', async () => {
  const { hub, opened } = setUp({ rates: { late: 1 } })
  hub.tick(START_MS, [measured(START_MS)])
  const link = newest(opened)
  link.events.opened()
  expect(data(link)).toEqual([])
  expect(hub.buffered).toBe(1)
  hub.startDraining()
  expect(data(link)).toHaveLength(1)
  data(link)[0]?.acknowledge()
  expect(hub.buffered).toBe(0)
  await hub.end()
  expect(JSON.parse(link.published.at(-1)?.payload ?? '')).toMatchObject({ state: 'offline', queued: 0 })
  expect(link.isOpen).toBe(false)
})

test('a refusal is told, unless the hub has been connected before', () => {
  const { hub, opened, refused } = setUp()
  hub.tick(START_MS, [])
  loseLink(newest(opened), 'bad user name or password', 'refused')
  expect(refused).toEqual(['hub-1: bad user name or password'])
  hub.tick(START_MS + MINUTE, [])
  newest(opened).events.opened()
  loseLink(newest(opened), 'the cable')
  hub.tick(START_MS + 2 * MINUTE, [])
  loseLink(newest(opened), 'bad user name or password', 'refused')
  expect(refused).toHaveLength(1)
})

test('answers are counted by their topic', () => {
  const { hub, opened, counts } = setUp()
  hub.tick(START_MS, [])
  const { events } = newest(opened)
  events.opened()
  for (const name of ['receipt', 'receipt', 'rejected', 'commands'])
    events.received(`v1/hubs/hub-1/${name}`, Buffer.from('{}'))
  expect(counts).toMatchObject({ receipts: 2, rejectAnswers: 1, commands: 1 })
})
