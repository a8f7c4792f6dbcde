/** What `npm run rejected:replay` promises when it is killed, when two run at once, beside traffic and behind a pooler. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closeAll } from '../../broker/testing.ts'
import { publishRoute } from '../../broker/topics.ts'
import { publish } from '../../contract/testing/clients.ts'
import {
  acmeFleet,
  device as fleetDevice,
  NORTH_HUB,
  northDevice,
  unitOf,
} from '../../contract/testing/fleet.ts'
import { hasPgBouncer, startPgBouncer } from '../../contract/testing/pgbouncer.ts'
import { startTestService, type TestService } from '../../contract/testing/service.ts'
import { until } from '../../db/testing/poll.ts'
import { replayRejected } from './replay.ts'
import type { ReplayTally } from './tally.ts'
import { ONLY_PROGRESS, runReplay, spawnReplay } from './testing/run-replay.ts'

const READINGS = `v1/hubs/${NORTH_HUB}/readings`
const DOORS = `v1/hubs/${NORTH_HUB}/doors`
const SKIPPED = hasPgBouncer ? '' : ' (skipped: the program pgbouncer is not installed)'
const START_MS = Date.UTC(2025, 0, 1)
const MESSAGES = 100
const READINGS_PER_MESSAGE = 50
const ALL = MESSAGES * (READINGS_PER_MESSAGE + 2)

/** Drawn anew each run and printed with the test's name; to repeat a run, write its numbers here. */
const PAUSES_MS = Array.from({ length: 3 }, () => Math.floor(Math.random() * 60))

let service: TestService
const fleet = acmeFleet()
let fleets = 0

beforeAll(async () => {
  service = await startTestService()
})
beforeEach(() => service.query('TRUNCATE pipeline.rejected_messages, pipeline.rejected_payloads'))
afterEach(closeAll)
afterAll(() => service.close())

/**
 * Publishes `ALL` items of a device that nobody knows, and adds it to the fleet: 50 readings in each message, one of
 * them twice and one without a time, and a message with a door's opening and closing. Returns its DevEUI.
 */
async function rejectMany(): Promise<string> {
  fleets += 1
  const device = `70b3d57ed1${fleets.toString(16).padStart(6, '0')}`
  const hub = await service.connect(NORTH_HUB)
  await Promise.all(
    Array.from({ length: MESSAGES }, async (_, message) => {
      const at = START_MS + message * 60_000
      const readings = Array.from({ length: READINGS_PER_MESSAGE - 2 }, (_, n) => ({
        device,
        at: at + n,
        humidity: 1,
      }))
      await publish(hub, READINGS, [...readings, { device, at, humidity: 2 }, { device, humidity: 3 }])
      await publish(hub, DOORS, [
        { device, at, state: 'open' },
        { device, at: at + 5_000, state: 'closed' },
      ])
    }),
  )
  expect(await rejectedCount()).toBe(ALL)
  unitOf(fleet, 'Cooler').devices.push(fleetDevice(device, NORTH_HUB))
  await service.applyFleet(fleet)
  return device
}

async function rejectedCount(): Promise<number> {
  const [row] = await service.query<{ n: number }>(
    'SELECT count(*)::int AS n FROM pipeline.rejected_messages',
  )
  return row?.n ?? -1
}

/** Everything of `rejectMany` is stored once, with the durations right, and nothing is rejected any more. */
async function expectAllStored(device: string): Promise<void> {
  expect(await rejectedCount()).toBe(0)
  expect(await service.query('SELECT 1 FROM pipeline.rejected_payloads')).toEqual([])
  const stored = await service.query(
    `SELECT count(*)::int AS readings, count(DISTINCT (r.recorded_at, r.device_id))::int AS times,
       (count(*) FILTER (WHERE r.source = 'arrival' AND r.humidity = 3))::int AS arrivals
     FROM public.sensor_readings r JOIN public.devices d ON d.id = r.device_id WHERE d.device_eui = $1`,
    [device],
  )
  const readings = MESSAGES * (READINGS_PER_MESSAGE - 1)
  expect(stored).toEqual([{ readings, times: readings, arrivals: MESSAGES }])
  const doors = await service.query(
    `SELECT e.state, e.duration_seconds AS seconds, count(*)::int AS events
     FROM public.door_events e JOIN public.devices d ON d.id = e.device_id WHERE d.device_eui = $1
     GROUP BY 1, 2 ORDER BY 1`,
    [device],
  )
  expect(doors).toEqual([
    { state: 'closed', seconds: 5, events: MESSAGES },
    { state: 'open', seconds: null, events: MESSAGES },
  ])
}

/** The ledger has counted each row once, however the work was divided. */
async function expectLedger(sinceBatch: string): Promise<void> {
  const [ledger] = await service.query<{ rows: number }>(
    'SELECT sum(readings + doors)::int AS rows FROM pipeline.ingest_batches WHERE id > $1',
    [sinceBatch],
  )
  expect(ledger?.rows).toBe(ALL - MESSAGES)
}

async function newestBatch(): Promise<string> {
  const [row] = await service.query<{ id: string }>('SELECT max(id) AS id FROM pipeline.ingest_batches')
  return row?.id ?? '0'
}

function replay(): Promise<ReplayTally> {
  return replayRejected({
    pool: service.db.$client,
    routeOf: publishRoute,
    filter: {},
    limit: Number.POSITIVE_INFINITY,
    dryRun: false,
    statementTimeoutMs: 30_000,
  })
}

async function replaySessions(): Promise<{ waiting: boolean; hasWritten: boolean }[]> {
  return service.query(
    `SELECT wait_event_type IS NOT DISTINCT FROM 'Lock' AS waiting, backend_xid IS NOT NULL AS "hasWritten"
     FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'frostguard rejected:replay'`,
  )
}

describe('kill -9', () => {
  test('with rows written and nothing committed changes nothing; the next run stores each once', async () => {
    const device = await rejectMany()
    const batch = await newestBatch()
    const holder = new Client({ connectionString: service.url })
    await holder.connect()
    // Whoever writes door events waits for this: the readings of its batch are written by then.
    await holder.query('BEGIN; LOCK TABLE public.door_events IN EXCLUSIVE MODE')
    const child = spawnReplay({ DATABASE_URL: service.url })
    const ended = once(child, 'exit')
    await until('the replay waits', async () => (await replaySessions()).some(({ waiting }) => waiting))
    expect(await replaySessions()).toContainEqual({ waiting: true, hasWritten: true })
    const [left, newest] = [await rejectedCount(), await newestBatch()]
    expect(left).toBeGreaterThan(0)
    child.kill('SIGKILL')
    await ended
    await holder.end()
    await until('its session has ended', async () => (await replaySessions()).length === 0)
    expect(await rejectedCount()).toBe(left)
    expect(await newestBatch()).toBe(newest)
    expect(await replay()).toMatchObject({ lookedAt: left, doors: 2 * MESSAGES })
    await expectAllStored(device)
    await expectLedger(batch)
  })

  test(`at any moment, ${PAUSES_MS.join(', ')} ms after it has begun to store: exactly once`, async () => {
    const device = await rejectMany()
    const batch = await newestBatch()
    const left: number[] = []
    for (const pauseMs of PAUSES_MS) {
      const before = await rejectedCount()
      const child = spawnReplay({ DATABASE_URL: service.url })
      const ended = once(child, 'exit')
      await until(
        'it has begun',
        async () => child.exitCode !== null || before === 0 || (await rejectedCount()) < before,
      )
      await sleep(pauseMs)
      child.kill('SIGKILL')
      await ended
      await until('its session has ended', async () => (await replaySessions()).length === 0)
      left.push(await rejectedCount())
    }
    await replay()
    await expectAllStored(device)
    await expectLedger(batch)
    expect(left.some((count) => count > 0 && count < ALL)).toBe(true)
  })
})

test('two at once: nothing is stored or counted twice, and nothing is left', async () => {
  const device = await rejectMany()
  const batch = await newestBatch()
  const hub = await service.connect(NORTH_HUB)
  await Promise.all(Array.from({ length: 40 }, (_, n) => publish(hub, READINGS, `no JSON ${n}`)))
  const tallies = await Promise.all([replay(), replay(), replay()])
  const total = (count: (tally: ReplayTally) => number) =>
    tallies.reduce((sum, tally) => sum + count(tally), 0)
  expect(total(({ readings, doors }) => readings + doors)).toBe(ALL - MESSAGES)
  expect(total(({ duplicate }) => duplicate)).toBe(MESSAGES)
  expect(total(({ stillRejected }) => stillRejected.malformed ?? 0)).toBe(40)
  expect(total(({ lookedAt }) => lookedAt)).toBe(ALL + 40)
  await expectLedger(batch)
  await service.query(
    `DELETE FROM pipeline.rejected_payloads WHERE convert_from(payload, 'UTF8') LIKE 'no JSON%'`,
  )
  await expectAllStored(device)
})

test('beside live readings of the same device at the same times', async () => {
  const device = await rejectMany()
  const hub = await service.connect(NORTH_HUB)
  const committed = () => service.metric('frostguard_readings_committed_total')
  const before = await committed()
  const live = Promise.all(
    Array.from({ length: MESSAGES }, (_, message) => {
      const at = START_MS + message * 60_000
      const readings = Array.from({ length: READINGS_PER_MESSAGE - 2 }, (_, n) => ({
        device,
        at: at + n,
        humidity: 1,
      }))
      return publish(hub, READINGS, readings)
    }),
  )
  const [tally] = await Promise.all([replay(), live])
  await expectAllStored(device)
  expect((await committed()) - before + tally.readings).toBe(MESSAGES * (READINGS_PER_MESSAGE - 1))
  expect(tally).toMatchObject({ lookedAt: ALL, doors: 2 * MESSAGES, leftToOthers: 0 })
})

test('a database that goes away ends it with a sentence, the books and exit code 1', async () => {
  const device = await rejectMany()
  const holder = new Client({ connectionString: service.url })
  await holder.connect()
  await holder.query('BEGIN; LOCK TABLE public.door_events IN EXCLUSIVE MODE')
  const running = runReplay([], { DATABASE_URL: service.url })
  const end = () =>
    service.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'frostguard rejected:replay'`,
    )
  // Each attempt is cut off anew, until it gives up.
  let result: Awaited<typeof running> | undefined
  void running.then((ended) => {
    result = ended
  })
  await until('it has given up', async () => {
    if (!result && (await replaySessions()).some(({ waiting }) => waiting)) await end()
    return result !== undefined
  })
  await holder.end()
  expect(result).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/^looked at +\d/),
    stderr: expect.stringMatching(
      /The replay ended early: PostgreSQL says "terminating connection .*57P01\)\. .*run it again for the rest\.\n$/,
    ),
  })
  expect(await rejectedCount()).toBeGreaterThan(0)
  await replay()
  await expectAllStored(device)
})

describe.skipIf(!hasPgBouncer)(`through PgBouncer in transaction mode${SKIPPED}`, () => {
  test('two commands at once on one server connection', async () => {
    const device = await rejectMany()
    const pooler = await startPgBouncer(service.url, 1)
    try {
      const env = { DATABASE_URL: pooler.url, DATABASE_DIRECT_URL: service.url }
      const results = await Promise.all([runReplay([], env), runReplay([], env)])
      expect(results).toMatchObject([
        { code: 0, stderr: expect.stringMatching(ONLY_PROGRESS) },
        { code: 0, stderr: expect.stringMatching(ONLY_PROGRESS) },
      ])
    } finally {
      await pooler.remove()
    }
    await expectAllStored(device)
  })
})

test('an item of a known device is not looked at again by a run that began before another noted it', async () => {
  const hub = await service.connect(NORTH_HUB)
  await publish(hub, READINGS, { device: northDevice(0), temperature: 'x' })
  expect(await replay()).toMatchObject({ lookedAt: 1, stillRejected: { invalid: 1 } })
  // A mark from the future is none: the clock was set back.
  await service.query(`UPDATE pipeline.rejected_messages SET replayed_at = now() + interval '1 hour'`)
  expect(await replay()).toMatchObject({ lookedAt: 1, stillRejected: { invalid: 1 } })
})
