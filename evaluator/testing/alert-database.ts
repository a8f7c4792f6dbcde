import { Pool, type PoolClient } from 'pg'
import { createTestFleet, type TestFleet } from '../../db/testing/fleet.ts'
import { until } from '../../db/testing/poll.ts'
import { createTestDatabase } from '../../db/testing/test-database.ts'

/** A database in which alerts are written by hand. */
export interface AlertDatabase {
  /** Forgets all alerts and makes a fleet for those to come. */
  begin(): Promise<AlertRows>
  close(): Promise<void>
}

export interface AlertRows {
  pool: Pool
  /** Of the organization. */
  slug: string
  /** One unit with two devices. */
  fleet: TestFleet
  /** An open alert of the unit, with an episode of its first device that runs. Returns its id. */
  insertAlert(alert?: AlertValues): Promise<number>
  /** The newest reading of a device of the unit, and whether it is good. */
  hear(reading: { atMs: number; isGood?: boolean; device?: number }): Promise<void>
  /** Runs work in a transaction that is committed. */
  inTransaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T>
  /** Resolves when a session of the database waits for a lock. */
  untilLocked(): Promise<void>
}

/** Columns of `alerts`; times are `Date`s. */
export type AlertValues = Partial<Record<string, string | number | boolean | Date | null>>

export async function openAlertDatabase(): Promise<AlertDatabase> {
  const database = await createTestDatabase()
  const pool = new Pool({ connectionString: database.url })
  let fleets = 0
  return {
    begin: async () => {
      fleets += 1
      await pool.query('TRUNCATE public.alerts, pipeline.rule_episodes, pipeline.outgoing_messages CASCADE')
      const slug = `org-${fleets}`
      const euiPrefix = fleets.toString(16).padStart(4, '0')
      const fleet = await createTestFleet(pool, { slug, hubs: 1, devices: 2, euiPrefix })
      return {
        pool,
        slug,
        fleet,
        insertAlert: (alert) => insertAlert(pool, fleet, alert ?? {}),
        hear: (reading) => hear(pool, fleet, reading),
        inTransaction: (work) => inTransaction(pool, work),
        untilLocked: () => untilLocked(pool),
      }
    },
    close: async () => {
      await pool.end()
      await database.drop()
    },
  }
}

async function insertAlert(pool: Pool, fleet: TestFleet, given: AlertValues): Promise<number> {
  const now = new Date()
  const values: AlertValues = {
    organization_id: fleet.organizationId,
    unit_id: fleet.unitId,
    alert_type: 'alarm_active',
    condition_type: 'temperature_above',
    severity: 'critical',
    started_at: now,
    triggered_at: now,
    detected_at: now,
    evidence_at: given['detected_at'] ?? now,
    ...given,
  }
  const names = Object.keys(values)
  const { rows } = await pool.query<{ id: number }>(
    `INSERT INTO alerts (${names.join(', ')}) VALUES (${names.map((_, index) => `$${index + 1}`).join(', ')})
     RETURNING id`,
    Object.values(values),
  )
  await pool.query(
    `INSERT INTO pipeline.rule_episodes (unit_id, device_id, rule_id, condition_type, rule_version, severity, started_at,
       triggered_at, confirmed_ms, unknown_ms, newest_is_good)
     VALUES ($1, $2, $3, $4, 1, 'critical', $5, $5, 0, 0, false)`,
    [
      fleet.unitId,
      fleet.devices[0]?.id,
      values['rule_id'] ?? null,
      values['condition_type'],
      values['triggered_at'],
    ],
  )
  return rows[0]?.id ?? 0
}

async function hear(
  pool: Pool,
  { unitId, devices }: TestFleet,
  { atMs, isGood = false, device = 0 }: { atMs: number; isGood?: boolean; device?: number },
): Promise<void> {
  const deviceId = devices[device]?.id
  await pool.query(
    `INSERT INTO pipeline.rule_states (unit_id, device_id, state, newest_at) VALUES ($1, $2, '{}', $3)
     ON CONFLICT (unit_id, device_id) DO UPDATE SET newest_at = excluded.newest_at`,
    [unitId, deviceId, new Date(atMs)],
  )
  await pool.query(
    'UPDATE pipeline.rule_episodes SET newest_is_good = $3 WHERE unit_id = $1 AND device_id = $2',
    [unitId, deviceId, isGood],
  )
}

function untilLocked(pool: Pool): Promise<void> {
  return until('a session waits for a lock', async () => {
    const waiting = await pool.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    return waiting.rowCount !== 0
  })
}

async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    return result
  } finally {
    client.release()
  }
}
