import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestFleet, type TestFleet } from '../testing/fleet.ts'
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts'
import { readAlerts, readAlertsToPage } from './read-alerts.ts'

const RESOLVED = 20_000
const NOW_MS = Date.now()

let database: TestDatabase
let pool: Pool
let fleet: TestFleet

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
  fleet = await createTestFleet(pool, { slug: 'old', hubs: 1, devices: 1, euiPrefix: 'c4' })
  await pool.query(
    `INSERT INTO alerts (organization_id, unit_id, alert_type, condition_type, severity, started_at, triggered_at,
       detected_at, status, ended_at, resolved_at, resolution)
     SELECT $1, $2, 'alarm_active', 'temperature_above', 'warning', at, at, at, 'resolved', at, at, 'recovered'
     FROM generate_series(1, $3::int) n, LATERAL (SELECT now() - n * interval '1 minute' AS at) times`,
    [fleet.organizationId, fleet.unitId, RESOLVED],
  )
  await pool.query(
    `INSERT INTO alerts (organization_id, unit_id, alert_type, condition_type, severity, started_at, triggered_at, detected_at)
     VALUES ($1, $2, 'alarm_active', 'temperature_above', 'warning', now(), now(), now())`,
    [fleet.organizationId, fleet.unitId],
  )
  await pool.query('ANALYZE alerts')
})

afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

/** In a transaction as the evaluator's, which joins in the order that is written. */
async function inTurn<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN; SET LOCAL join_collapse_limit = 1')
    return await work(client)
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
}

/** How PostgreSQL would answer what `read` asks. */
function planOf(read: (client: PoolClient) => Promise<unknown>): Promise<string> {
  return inTurn(async (client) => {
    let plan = ''
    const query = async (text: string, values: unknown[]) => {
      const { rows } = await client.query<Record<string, string>>(`EXPLAIN ${text}`, values)
      plan = rows.flatMap((row) => Object.values(row)).join('\n')
      return { rows: [] }
    }
    await read({ query } as unknown as PoolClient)
    return plan
  })
}

const ALL_ALERTS = /Seq Scan on alerts/

test('alerts that are to page are found among many that are resolved, without a look at those', async () => {
  const at = { nowMs: NOW_MS, escalationMs: 900_000 }
  expect(await inTurn((client) => readAlertsToPage(client, at))).toHaveLength(1)
  const plan = await planOf((client) => readAlertsToPage(client, at))
  expect(plan).toMatch(/alerts/)
  expect(plan).not.toMatch(ALL_ALERTS)
})

test('so are some by their ids', async () => {
  const plan = await planOf((client) => readAlerts(client, { alertIds: [1, 2], nowMs: NOW_MS }))
  expect(plan).toMatch(/alerts/)
  expect(plan).not.toMatch(ALL_ALERTS)
})
