/** Reads that take longer than a statement may: what cannot go on without them waits, and all else does not. */
import { afterEach, expect, test } from 'vitest'
import { databaseError } from '../db/errors.ts'
import { until } from '../db/testing/poll.ts'
import { copyUnit } from './testing/copied-units.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { readsOf } from './testing/reads.ts'

const STATEMENT_TIMEOUT_MS = 500
const TIMED_OUT = '57014'
const EXCURSION = [
  [5, 6],
  [10, 6],
  [15, 6],
] as const
const RAISED = { rule: 'Too warm', status: 'active', started: 5, triggered: 15 }

/** More than may be refused at once. */
const UNITS = 1_100

/** A reading of this temperature takes longer to read than a statement may. */
const SLOW_CELSIUS = 6.66
const centi = (slow: string) => `
  CREATE OR REPLACE FUNCTION pipeline.centi(celsius real) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT CASE WHEN $1 = ${slow}::real THEN (SELECT 0 FROM pg_sleep(60))
    ELSE floor($1::float8 * 100 + 0.5)::integer END $$`

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

/** Does something while a transaction that has run this is open. */
async function holding(sql: string, work: () => Promise<void>): Promise<void> {
  const client = await fleet.db.$client.connect()
  try {
    await client.query(`BEGIN; ${sql}`)
    await work()
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
}

test.each(['pipeline.ingest_batches', 'sensor_readings', 'hubs', 'pipeline.registry_version'])(
  'while %s is locked, it says what it waits for, and goes on with what it holds when it is not',
  async (table) => {
    fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
    const evaluator = fleet.startEvaluator({ statementTimeoutMs: STATEMENT_TIMEOUT_MS })
    await fleet.commit([[0, 3]])
    await fleet.evaluated()
    const isForRows = table === 'sensor_readings'
    // So that the ledger shows it when the table is locked.
    const ledger = await fleet.db.$client.connect()
    await ledger.query('BEGIN; SELECT pg_current_xact_id()')
    await fleet.commit(EXCURSION)
    await holding(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`, async () => {
      if (isForRows) await ledger.query('ROLLBACK')
      await until('it says so', () => evaluator.failing !== undefined)
      expect(databaseError(evaluator.failing?.error)?.code).toBe(TIMED_OUT)
      expect(evaluator.isActive).toBe(false)
    })
    await ledger.query('ROLLBACK')
    ledger.release()
    await fleet.evaluated()
    await until('it says so no more', () => evaluator.failing === undefined && evaluator.isActive)
    expect(await fleet.alerts()).toMatchObject([RAISED])
    expect(await fleet.failures()).toBe(0)
  },
)

test.each([
  ['goes on with an answer that comes soon enough', 60_000],
  ['begins anew with one that comes after too long a wait', 0],
])('%s', async (_words, standStillMs) => {
  fleet = await openEvaluatedFleet({ rules: [] })
  const reads = readsOf(fleet.db.$client, STATEMENT_TIMEOUT_MS, standStillMs)
  const hubs = () => reads.untilAnswered(async (client) => (await client.query('SELECT FROM hubs')).rowCount)
  // One that is not asked again is never late.
  expect(await hubs()).toBe(1)
  let answer: Promise<unknown> = Promise.resolve()
  await holding('LOCK TABLE hubs IN ACCESS EXCLUSIVE MODE', async () => {
    answer = hubs().catch((error: unknown) => error)
    await until('it waits', () => reads.waiting !== undefined)
  })
  if (standStillMs > 0) expect(await answer).toBe(1)
  else expect(await answer).toMatchObject({ name: 'LateAnswerError', cause: { code: TIMED_OUT } })
  expect(reads.waiting).toBeUndefined()
})

test('an end is not held up by a read that is asked again', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const evaluator = fleet.startEvaluator({ statementTimeoutMs: STATEMENT_TIMEOUT_MS })
  await until('it evaluates', () => evaluator.isActive)
  await holding('LOCK TABLE pipeline.ingest_batches IN ACCESS EXCLUSIVE MODE', async () => {
    await until('it waits', () => evaluator.failing !== undefined)
    await evaluator.stop()
    const { rows } = await fleet.db.$client.query('SELECT FROM pipeline.leases')
    expect(rows).toEqual([])
  })
})

test('a device of which it cannot be read in a start what was last heard is put off', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const first = fleet.startEvaluator()
  await fleet.commit([
    [0, 3],
    [20, SLOW_CELSIUS],
  ])
  await fleet.evaluated()
  await first.stop()
  const { $client: pool } = fleet.db
  await pool.query(`UPDATE pipeline.rule_states SET state = '"garbage"'`)
  await pool.query(centi(String(SLOW_CELSIUS)))
  const second = fleet.startEvaluator({ statementTimeoutMs: STATEMENT_TIMEOUT_MS })
  await until('it evaluates', () => second.isActive)
  await until('it is named', () => second.notices().length > 0)
  expect(second.notices()).toEqual([expect.stringMatching(`: device ${fleet.devices[0]}; the log`)])
  await fleet.commit(EXCURSION)
  await fleet.evaluated()
  expect(await fleet.failures()).toBe(0)
  await second.stop()
  await pool.query(centi('0'))
  fleet.startEvaluator()
  await until('it is judged', async () => (await fleet.alerts()).length > 0)
  expect(await fleet.alerts()).toMatchObject([{ ...RAISED, peak: SLOW_CELSIUS }])
})

test.each([
  ['fail', `(SELECT 1 / (CASE WHEN $1 = ${SLOW_CELSIUS}::real THEN 0 ELSE 1 END))`],
  ['take too long', `(SELECT 1 FROM pg_sleep(CASE WHEN $1 = ${SLOW_CELSIUS}::real THEN 60 ELSE 0 END))`],
])(
  'more units than may be refused, the reads of which %s in a start, keep nothing that is live',
  async (_how, one) => {
    fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
    const { $client: pool } = fleet.db
    const first = fleet.startEvaluator()
    await fleet.commit([[-5, SLOW_CELSIUS]])
    await fleet.evaluated()
    await first.stop()
    await copyUnit(pool, UNITS)
    await pool.query(
      `UPDATE pipeline.rule_states SET state = '"garbage"' WHERE unit_id <> ${fleet.unitId};
     CREATE OR REPLACE FUNCTION pipeline.centi(celsius real) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
     AS $$ SELECT floor($1::float8 * 100 + 0.5)::integer * ${one} $$`,
    )
    const second = fleet.startEvaluator({ statementTimeoutMs: STATEMENT_TIMEOUT_MS })
    await fleet.commit(EXCURSION)
    await until('what is live is judged', async () => (await fleet.alerts()).length > 0)
    expect(await fleet.alerts()).toMatchObject([{ status: 'active', triggered: 5 }])
    await until('some are named', () => second.notices().length > 0)
    expect(second.notices()).toEqual([expect.stringMatching(/: device \d+/)])
    expect(await fleet.failures()).toBe(0)
  },
)

test('a unit that is set aside, and cannot be read to be tried again, holds up no turn', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const { $client: pool } = fleet.db
  await pool.query(`ALTER TABLE alerts ADD CONSTRAINT refused CHECK (unit_id <> ${fleet.unitId})`)
  const evaluator = fleet.startEvaluator({ statementTimeoutMs: STATEMENT_TIMEOUT_MS })
  await until('it evaluates', () => evaluator.isActive)
  await fleet.commit(EXCURSION)
  await until('it is aside', () => evaluator.notices().length > 0)
  // Its doors are read with it.
  await holding('LOCK TABLE door_events IN ACCESS EXCLUSIVE MODE', async () => {
    await until('it is tried', async () => (await waitingFor('door_events')) > 0)
    await until('it is given up', async () => (await waitingFor('door_events')) === 0)
  })
  await fleet.commit([[20, 6]])
  await fleet.evaluated()
  expect(evaluator.notices()).toHaveLength(1)
  expect(await fleet.failures()).toBe(0)
})

/** Statements that wait for this table. */
async function waitingFor(table: string): Promise<number> {
  const { rows } = await fleet.db.$client.query(
    'SELECT FROM pg_locks WHERE NOT granted AND relation = $1::regclass',
    [table],
  )
  return rows.length
}

test('of many devices that cannot be read in time, one is tried in a turn, and what is live is judged', async () => {
  const slow = 5
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], devices: slow + 1, minutes: 60 })
  const { $client: pool } = fleet.db
  const evaluator = fleet.startEvaluator({ statementTimeoutMs: STATEMENT_TIMEOUT_MS })
  for (let device = 0; device < slow; device += 1) await fleet.commit([[20, SLOW_CELSIUS]], device)
  await fleet.commit([[0, 3]], slow)
  await fleet.evaluated()
  await pool.query(centi(String(SLOW_CELSIUS)))
  await holding('SELECT pg_current_xact_id()', async () => {
    for (let device = 0; device < slow; device += 1) await fleet.commit([[10, 3]], device)
    await fleet.commit(EXCURSION, slow)
  })
  await until('what is live is judged', async () => (await fleet.alerts()).length > 0)
  const named = () =>
    evaluator
      .notices()
      .join()
      .match(/device \d+/g)?.length ?? 0
  expect(named()).toBe(1)
  await until('the next one has been tried', () => named() === 2)
  expect(await fleet.failures()).toBe(0)
})
