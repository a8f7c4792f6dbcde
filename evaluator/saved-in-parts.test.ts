import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { afterEach, expect, test } from 'vitest'
import { openCursor } from '../db/evaluation/cursor.ts'
import { until } from '../db/testing/poll.ts'
import { parseSettings } from '../settings.ts'
import { FleetMemory } from './fleet-memory.ts'
import { HandOver } from './hand-over.ts'
import { waitForLease } from './lease.ts'
import { createEvaluatorMetrics } from './metrics.ts'
import { pagingLimits, pagingSettings } from './paging/config.ts'
import { EVALUATOR, SessionWriter } from './session-writer.ts'
import { SetAside } from './set-aside.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { readsOf } from './testing/reads.ts'
import { isTakenUp, type UnitContext } from './unit-context.ts'

/** More than a turn stores. */
const DEVICES = 230
/** Notes with each move of the cursor how many states were stored by then. */
const NOTE_MOVES = `
  CREATE TABLE moves (batch_id int8, states int4);
  CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.moves VALUES (NEW.batch_id, (SELECT count(*) FROM pipeline.rule_states));
    RETURN NEW;
  END $$;
  CREATE TRIGGER note_move BEFORE UPDATE ON pipeline.evaluator_cursors FOR EACH ROW EXECUTE FUNCTION note_move()`

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

test('the states of many devices are stored a part at a time, and all before the cursor passes what they come from', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], devices: DEVICES, minutes: 10 })
  const pool = fleet.db.$client
  await pool.query(NOTE_MOVES)
  await Promise.all(fleet.devices.map((_, device) => fleet.commit([[5, 3]], device)))
  const evaluator = fleet.startEvaluator()
  await until('it evaluates', () => evaluator.isActive)
  await fleet.evaluated()
  const { rows: parts } = await pool.query<{ states: number }>(
    'SELECT count(*)::int AS states FROM pipeline.rule_states GROUP BY xmin',
  )
  expect(parts.reduce((sum, { states }) => sum + states, 0)).toBe(DEVICES)
  expect(parts.length).toBeGreaterThan(1)
  expect(Math.max(...parts.map(({ states }) => states))).toBeLessThanOrEqual(100)
  const { rows: moves } = await pool.query<{ states: number }>(
    // The ledger is read in the order of transactions: the ids are not in it.
    `SELECT min(states) AS states FROM moves
     WHERE batch_id = (SELECT id FROM pipeline.ingest_batches ORDER BY tx DESC, id DESC LIMIT 1)`,
  )
  expect(moves).toEqual([{ states: DEVICES }])
})

/** Another unit of the fleet, with its last device. */
async function addUnit(): Promise<number> {
  const { rows } = await fleet.db.$client.query<{ unitId: number }>(
    `WITH added AS (
       INSERT INTO units (organization_id, area_id, name, unit_type)
       SELECT organization_id, area_id, 'Other', unit_type FROM units RETURNING id)
     UPDATE devices SET unit_id = (SELECT id FROM added) WHERE id = $1 RETURNING unit_id AS "unitId"`,
    [fleet.devices.at(-1)],
  )
  return rows[0]?.unitId ?? 0
}

/** What a session writes with, and its memory. */
async function openWriter() {
  const pool = fleet.db.$client
  const reads = readsOf(pool)
  const metrics = createEvaluatorMetrics(new Registry())
  const memory = new FleetMemory({ reads, nowMs: Date.now, onDefect: () => {} })
  await memory.load()
  const { cursor } = await openCursor(pool, EVALUATOR)
  const { signal } = new AbortController()
  const lease = await waitForLease(
    pool,
    { name: EVALUATOR, holder: 'test', forMs: 60_000 },
    { signal, onWait: () => {} },
  )
  if (!lease) throw new Error('The lease was expected: nobody else evaluates here')
  const ignore = () => {}
  const onSetAside = { onSetAside: ignore, onBack: ignore }
  const aside = new SetAside({
    memory,
    metrics,
    onClosed: (unitId) => {
      writer.forget(unitId)
      return []
    },
    ...onSetAside,
  })
  const writer = new SessionWriter(
    {
      pool,
      reads,
      lease,
      metrics,
      handOver: new HandOver(1_000),
      settings: { EVALUATOR_PAGE_ROWS_MAX: 1_000, EVALUATOR_POLL_MS: 100, EVALUATOR_SAVE_MS: 0 },
      limits: pagingLimits(parseSettings(pagingSettings, {})),
      statementTimeoutMs: 30_000,
      now: Date.now,
      utilization: () => 0,
      onDefect: ignore,
      onTold: ignore,
      ...onSetAside,
    },
    { cursor, aside },
  )
  const place = { cursor: { ...cursor, batchId: cursor.batchId + 1n }, newestId: 1n }
  const write = (touched: readonly UnitContext[], isRound = false) =>
    writer.write({
      touched,
      ranges: [],
      scopes: [],
      unitFacts: [],
      hubs: [],
      statuses: [],
      ...place,
      nowMs: Date.now(),
      isTick: false,
      isEnd: false,
      isRound,
      isPageDue: false,
    })
  return { memory, aside, writer, write }
}

test('a unit that comes back while states are stored is stored before the cursor passes what it was set aside with', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], devices: DEVICES, minutes: 10 })
  const pool = fleet.db.$client
  const otherId = await addUnit()
  const deviceId = fleet.devices.at(-1) ?? 0
  const { memory, aside, writer, write } = await openWriter()
  const many = memory.units.get(fleet.unitId)
  if (!many) throw new Error('The unit of the fleet was expected')
  for (const device of many.devices.values()) device.isUnsaved = true
  aside.setAside(otherId, new TypeError('a defect'))
  const reading = { deviceId, atMs: fleet.beginMs, recordedAtMs: fleet.beginMs, receivedAtMs: fleet.beginMs }
  aside.note(otherId, [
    {
      message: 1,
      arrivedAtMs: fleet.beginMs,
      readings: [{ ...reading, kind: 'reading' as const, temperatureCenti: 300, fault: null, battery: null }],
      doors: [],
    },
  ])
  await write([many])
  expect(writer.isSaving).toBe(true)
  // Until it is due again.
  await sleep(1_000)
  const back = await aside.reopen()
  if (!back) throw new Error('The unit that is aside was expected to be due')
  expect(isTakenUp(back)).toBe(true)
  // Its rows take too long to be read.
  for (const device of back.devices.values()) device.isUnsaved = true
  await write([back], true)
  aside.back(back)
  while (writer.isSaving) await write([])
  const { rows } = await pool.query<{ fromMs: number }>(
    `SELECT (state->'late'->>'fromMs')::float8 AS "fromMs" FROM pipeline.rule_states WHERE unit_id = $1`,
    [otherId],
  )
  // All of it: there was no state.
  expect(rows).toEqual([{ fromMs: 0 }])
})
