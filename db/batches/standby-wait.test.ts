import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase } from '../client.ts'
import { createTestFleet, type TestFleet } from '../testing/fleet.ts'
import { until } from '../testing/poll.ts'
import { startTestServer, type TestServer } from '../testing/test-server.ts'
import { createBatchIds } from './batch-id.ts'
import { type Batch, findBatch, writeBatch } from './write-batch.ts'

/** Of a batch; the pool waits for longer, so that a slow machine does not end the wait either. */
const STATEMENT_TIMEOUT_MS = 500
const nextId = createBatchIds({ now: Date.now, process: 7 })

let server: TestServer
let pool: Pool
let fleet: TestFleet

beforeAll(async () => {
  server = await startTestServer({ migrate: true })
  pool = createDatabase({
    url: server.url,
    poolMax: 3,
    statementTimeoutMs: 60_000,
    connectTimeoutMs: 5_000,
    onIdleError: () => {},
  }).$client
  fleet = await createTestFleet(pool, { slug: 'test', hubs: 1, devices: 1, euiPrefix: 'a8' })
  await pool.query(`ALTER SYSTEM SET synchronous_standby_names = 'away'`)
  await pool.query('SELECT pg_reload_conf()')
  await until('commits wait for the standby', isCommitWaiting)
})

afterAll(async () => {
  await pool?.end()
  await server?.remove()
})

function batch(atMs: number): Batch {
  const { organizationId, unitId } = fleet
  const row = { deviceId: fleet.devices[0]?.id ?? 0, unitId, organizationId, receivedAtMs: atMs }
  const values = { temperature: 4, humidity: null, battery: null, rssi: null, snr: null, fault: null }
  return {
    id: nextId(),
    writer: '00000000-0000-4000-8000-000000000001',
    readings: [{ ...row, ...values, recordedAtMs: atMs, source: 'hub' }],
    doors: [{ ...row, occurredAtMs: atMs, state: 'open', source: 'hub' }],
    rejected: [],
    hubStatuses: [],
    receipts: [],
  }
}

const WAITING = `SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'`
const LET_GO = `SELECT pg_cancel_backend(pid) FROM (${WAITING}) waiting`
const whenWaiting = () =>
  until('a commit waits for the standby', async () => (await pool.query(WAITING)).rowCount === 1)

/** A server takes a while to read its settings again. */
async function isCommitWaiting(): Promise<boolean> {
  let isCommitted = false
  const commit = pool.query("COMMENT ON DATABASE postgres IS 'a commit'").then(() => {
    isCommitted = true
  })
  const isWaiting = async () => (await pool.query(WAITING)).rowCount === 1
  await until('it is committed, or waits', async () => isCommitted || (await isWaiting()))
  if (isCommitted) return false
  await pool.query(LET_GO)
  await commit
  return true
}

test.each([
  ['readings alone', (all: Batch) => ({ ...all, doors: [] })],
  ['readings and door events', (all: Batch) => all],
])(
  '%s: a commit that somebody lets go without its standby is not taken for durable',
  async (_what, partOf) => {
    const written = partOf(batch(Date.now()))
    const options = { statementTimeoutMs: STATEMENT_TIMEOUT_MS, expectDuplicates: false }
    const outcome = expect(writeBatch(pool, written, options)).rejects.toThrow('standby')
    await whenWaiting()
    // The limit for statements does not end the wait.
    await sleep(2 * STATEMENT_TIMEOUT_MS)
    await whenWaiting()
    await pool.query(LET_GO)
    await outcome

    // Nor when it is looked up.
    const lookedUp = expect(findBatch(pool, written)).rejects.toThrow('standby')
    await whenWaiting()
    await pool.query(LET_GO)
    await lookedUp
  },
)
