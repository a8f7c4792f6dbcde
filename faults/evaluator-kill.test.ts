/** F4: kill -9 of the evaluator when it has written an alert and not yet moved its cursor. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from '../evaluator/testing/evaluated-fleet.ts'

const PROGRAM = fileURLToPath(new URL('../commands/evaluator-process.ts', import.meta.url))
const HOLD_CURSOR = 4_712
/** Once there is an alert, the cursor is not moved as long as a test has this lock. */
const CURSOR_WAITS = `
  CREATE FUNCTION cursor_waits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM public.alerts) THEN PERFORM pg_advisory_xact_lock(${HOLD_CURSOR}); END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER cursor_waits BEFORE UPDATE ON pipeline.evaluator_cursors FOR EACH ROW EXECUTE FUNCTION cursor_waits()`

let fleet: EvaluatedFleet
let holder: Client
let evaluator: ChildProcess | undefined
afterEach(async () => {
  await kill()
  await holder.end()
  await fleet.close()
})

test('an alert is raised once, whatever its evaluator was killed in', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 20 })
  await fleet.db.$client.query(CURSOR_WAITS)
  holder = new Client({ connectionString: fleet.url })
  await holder.connect()
  await holder.query('SELECT pg_advisory_lock($1)', [HOLD_CURSOR])
  await fleet.commit([
    [0, 3],
    [5, 6],
    [10, 7],
    [15, 7],
    [20, 7],
  ])
  start()
  await until('it has an alert, and waits before its cursor', isHeld)
  await kill()
  await holder.query('SELECT pg_advisory_unlock($1)', [HOLD_CURSOR])
  await until('what it had begun is undone', async () => !(await isHeld()))
  expect(await fleet.alerts()).toEqual([])
  start()
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ status: 'active', started: 5, triggered: 15, peak: 7 }])
  const { rows } = await fleet.db.$client.query(
    `SELECT (SELECT count(*)::int FROM event_logs WHERE action = 'alert_raised') AS raised,
       (SELECT count(*)::int FROM notification_deliveries) AS pages`,
  )
  expect(rows).toEqual([{ raised: 1, pages: 1 }])
})

function start(): void {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env
  const env = {
    PATH,
    HOME,
    NODE_COMPILE_CACHE,
    DATABASE_URL: fleet.url,
    // The cursor goes with every turn, and a lease ends soon.
    EVALUATOR_SAVE_MS: '0',
    EVALUATOR_LEASE_MS: '1000',
    EVALUATOR_HTTP_PORT: '0',
  }
  evaluator = spawn(process.execPath, [PROGRAM], { env, cwd: '/', stdio: ['ignore', 'ignore', 'inherit'] })
}

async function kill(): Promise<void> {
  if (!evaluator || evaluator.exitCode !== null || evaluator.signalCode !== null) return
  const ended = once(evaluator, 'exit')
  evaluator.kill('SIGKILL')
  await ended
}

async function isHeld(): Promise<boolean> {
  const { rowCount } = await holder.query(
    `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    [HOLD_CURSOR],
  )
  return rowCount === 1
}
