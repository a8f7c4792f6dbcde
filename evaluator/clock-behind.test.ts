/** An evaluator that is behind: its clock does not judge ahead of what it has heard. Who has still to be read is not silent. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import type { Evaluator } from './evaluator.ts'
import { type EvaluatedFleet, openEvaluatedFleet, type TestRule } from './testing/evaluated-fleet.ts'
import { hand } from './testing/handing.ts'

const MINUTE_MS = 60_000
const SILENT = { name: 'Silent', condition: { type: 'no_data', missed: 2 } }
/** Two check-ins of five minutes, and half a minute for what is on its way. */
const SILENT_AFTER_MINUTES = 10.5
const DOOR = { name: 'Door', condition: { type: 'door_open', for_seconds: 300 } }
/** The clock raises it half a minute later: a close may be on its way. */
const DOOR_AFTER_MINUTES = 5.5

/** A reading of this temperature takes so long to be read. */
const SLOW_CELSIUS = 6.66
const slowSeconds = (seconds: number) => `
  CREATE OR REPLACE FUNCTION pipeline.centi(celsius real) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT CASE WHEN $1 = ${SLOW_CELSIUS}::real THEN (SELECT 0 FROM pg_sleep(${seconds}))
    ELSE floor($1::float8 * 100 + 0.5)::integer END $$`

const PAGE_ROWS = 100
const PAGES = 3
const PAGE_SECONDS = 0.7
/** What is heard in a test is due so long after that; then the evaluator's clock goes on at once by more, though less than counts as set. */
const DUE_MS = 30_000
const STEP_MS = 45_000

let fleet: EvaluatedFleet
let stepMs = 0
afterEach(() => fleet.close())

const execute = (sql: string) => fleet.db.$client.query(sql)
const nowMinute = () => (Date.now() - fleet.beginMs) / MINUTE_MS

/** A fleet whose hub is connected, and a second device that speaks for itself. */
async function open(rules: readonly TestRule[]): Promise<void> {
  fleet = await openEvaluatedFleet({ rules, devices: 2, minutes: 60 })
  await execute(`UPDATE hubs SET is_online = true, status_at = now() - interval '1 hour'`)
  await execute(`UPDATE devices SET hub_id = NULL WHERE id = ${fleet.devices[1]}`)
  await execute(slowSeconds(PAGE_SECONDS))
}

/** An evaluator that reads as many rows at once as a page of the test has. */
async function evaluate(): Promise<Evaluator> {
  stepMs = 0
  const evaluator = fleet.startEvaluator({
    now: () => Date.now() + stepMs,
    env: { EVALUATOR_PAGE_ROWS_MAX: String(PAGE_ROWS) },
  })
  await until('it evaluates', () => evaluator.isActive)
  return evaluator
}

/** So many readings from a minute on, each a millisecond after the one before. The first one takes long to be read. */
const pageFrom = (minute: number, isSlow = true) =>
  Array.from(
    { length: PAGE_ROWS },
    (_, row) => [minute + row / MINUTE_MS, isSlow && row === 0 ? SLOW_CELSIUS : 3] as const,
  )

/** Commits pages of the second device, and behind them what the evaluator hears last; while it reads them what is due falls due. */
async function behindPages(commitLast: () => Promise<unknown>): Promise<void> {
  const minute = nowMinute() - (PAGES * PAGE_ROWS) / MINUTE_MS
  for (let page = 0; page < PAGES; page += 1) {
    await fleet.commit(pageFrom(minute + (page * PAGE_ROWS) / MINUTE_MS), 1)
  }
  await commitLast()
  stepMs = STEP_MS
}

/** When something happened that is due so many minutes after it. */
const minuteOf = (dueAfterMinutes: number) => nowMinute() + DUE_MS / MINUTE_MS - dueAfterMinutes

/** Devices are heard that are due in a moment. */
async function hear(...devices: number[]): Promise<void> {
  const minute = minuteOf(SILENT_AFTER_MINUTES)
  for (const device of devices) await fleet.commit([[minute, 3]], device, minute)
  await fleet.evaluated()
  await agedCommits()
}

/** What is committed from now on is not younger for the evaluator when its clock has gone on. */
const agedCommits = () =>
  execute(
    `ALTER TABLE pipeline.ingest_batches ALTER committed_at SET DEFAULT now() - interval '${STEP_MS} ms'`,
  )

/** The first device is heard, before it is due. */
const isHeard = () => fleet.commit([[nowMinute(), 3]])

/** What operators were told of alerts. */
async function told(): Promise<string[]> {
  const { rows } = await execute(
    'SELECT payload FROM pipeline.outgoing_messages WHERE NOT retain ORDER BY id',
  )
  return rows.map(({ payload }) => JSON.parse(payload).transition)
}

/** The clock was looked at before: reading the pages takes longer than that. */
async function expectNothing(): Promise<void> {
  await fleet.evaluated()
  expect(await told()).toEqual([])
  expect(await fleet.alerts()).toEqual([])
  expect(await fleet.failures()).toBe(0)
}

test('a device that is handed over while the ledger is read is not silent', async () => {
  await open([SILENT])
  await execute(slowSeconds(PAGE_SECONDS * PAGES))
  const evaluator = await evaluate()
  await hear(0)
  await fleet.commit([[nowMinute(), SLOW_CELSIUS]], 1)
  await sleep(500)
  const batch = await isHeard()
  hand(evaluator, batch, batch.id)
  stepMs = STEP_MS
  await expectNothing()
})

test('a device whose reading is in a later page of the ledger is not silent', async () => {
  await open([SILENT])
  await evaluate()
  await hear(0)
  await behindPages(isHeard)
  await expectNothing()
})

test('nor has its hub an alert that is away by then', async () => {
  await open([SILENT])
  await evaluate()
  await hear(0)
  await behindPages(async () => {
    await isHeard()
    await execute('UPDATE hubs SET is_online = false, status_at = now()')
  })
  await expectNothing()
})

test('a door whose close is in a later page is not open', async () => {
  await open([DOOR])
  await evaluate()
  const minute = minuteOf(DOOR_AFTER_MINUTES)
  await fleet.commitDoors([[minute, 'open']], minute)
  await fleet.evaluated()
  await agedCommits()
  await behindPages(() => fleet.commitDoors([[minute + 4, 'closed']]))
  await expectNothing()
})

test('nobody is silent for a first evaluator that has an hour to read', async () => {
  await open([SILENT])
  for (let minute = 0; minute < 60; minute += 5) {
    await fleet.commit(pageFrom(minute, minute % 20 === 0), 0, minute + 1)
  }
  await isHeard()
  await execute('UPDATE pipeline.ingest_batches SET committed_at = recorded_to')
  await evaluate()
  await expectNothing()
})

test('a silence that was found before a restart is not taken back by an evaluator that is behind', async () => {
  await open([SILENT])
  await fleet.commit([[0, 3]], 0, 0)
  const first = await evaluate()
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  await fleet.evaluated()
  await first.stop()
  for (const minute of [2, 4, 6]) await fleet.commit(pageFrom(minute), 1, minute + 1)
  for (let minute = 10; minute <= 60; minute += 5) await fleet.commit([[minute, 3]], 1, minute)
  await execute('UPDATE pipeline.ingest_batches SET committed_at = recorded_to')
  await evaluate()
  await fleet.evaluated()
  expect(await told()).toEqual(['raised'])
  expect(await fleet.alerts()).toMatchObject([
    { status: 'active', started: 0, triggered: SILENT_AFTER_MINUTES, ended: null },
  ])
})

test('behind a transaction that is left open a device that is heard is not silent, and one that is not heard is', async () => {
  await open([SILENT])
  await evaluate()
  await hear(0, 1)
  const client = await fleet.db.$client.connect()
  try {
    await client.query('BEGIN; SELECT pg_current_xact_id()')
    // Of another process: it is not handed over.
    await isHeard()
    stepMs = STEP_MS
    await until('the other one is silent', async () => (await told()).length > 0)
    const { rows } = await execute('SELECT device_id AS "deviceId" FROM alerts')
    expect(rows).toEqual([{ deviceId: fleet.devices[1] }])
    expect(await told()).toEqual(['raised'])
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
})
