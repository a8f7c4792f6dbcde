import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { pino } from 'pino'
import { type Counter, type Gauge, Registry } from 'prom-client'
import { createBatchIds } from '../../db/batches/batch-id.ts'
import { writeBatch } from '../../db/batches/write-batch.ts'
import { createDatabase, type Database } from '../../db/client.ts'
import type { DoorRow } from '../../db/copy/doors.ts'
import type { ReadingRow } from '../../db/copy/readings.ts'
import { applyFleet } from '../../db/fleet/apply.ts'
import { parseFleet } from '../../db/fleet/parse.ts'
import { TEST_HASH_COST } from '../../db/testing/fleet.ts'
import { until } from '../../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../../db/testing/test-folder.ts'
import type { CommittedBatch } from '../../ingest/committed.ts'
import { parseSettings } from '../../settings.ts'
import { Evaluator } from '../evaluator.ts'
import { createEvaluatorMetrics } from '../metrics.ts'
import { pagingSettings } from '../paging/config.ts'
import { evaluatorSettings } from '../settings.ts'
import { type AlertSaid, readAlerts } from './said-alerts.ts'

const MINUTE_MS = 60_000
const INTERVAL_MS = 5 * MINUTE_MS
const STATEMENT_TIMEOUT_MS = 30_000
/** Settings that make a test short. */
const FAST = { EVALUATOR_SAVE_MS: '100', EVALUATOR_POLL_MS: '20', EVALUATOR_LEASE_MS: '1000' }

/** The first rules are older than all that is measured, past the triggers that would note it. */
const AS_OF_YESTERDAY = `
  BEGIN; SET LOCAL session_replication_role = replica;
  UPDATE alert_rules SET created_at = now() - interval '2 days';
  UPDATE alert_rules_history SET changed_at = now() - interval '2 days', created_at = now() - interval '2 days';
  UPDATE units SET created_at = now() - interval '3 days';
  COMMIT`

/** A rule as a fleet file has it. */
export interface TestRule {
  name: string
  condition: Record<string, unknown>
  severity?: string
  scope?: Record<string, string>
  enabled?: boolean
}

export const TOO_WARM: TestRule = {
  name: 'Too warm',
  condition: { type: 'temperature_above', limit: 5, hysteresis: 0.5, for_seconds: 600 },
  severity: 'critical',
}

/** A test database with one unit and its devices, what ingest would commit for them, and evaluators on it. */
export interface EvaluatedFleet {
  url: string
  db: Database
  /** That of evaluators with the usual limit of statements. */
  evaluatorPool: Pool
  /** Epoch milliseconds of minute 0: a while ago, so that the newest reading is of now. */
  beginMs: number
  unitId: number
  /** Ids of the temperature devices, in order. */
  devices: number[]
  doorDevice: number
  /** Applies rules as `npm run fleet:apply` does. */
  applyRules(rules: readonly TestRule[]): Promise<void>
  /**
   * Readings of a device: minute and temperature, null = a fault. They are committed as one batch, and not handed over. They
   * arrive now, or in a minute that is given.
   */
  commit(
    readings: readonly (readonly [minute: number, celsius: number | null])[],
    device?: number,
    arrivalMinute?: number,
  ): Promise<CommittedBatch>
  commitDoors(
    events: readonly (readonly [minute: number, state: 'open' | 'closed'])[],
    arrivalMinute?: number,
  ): Promise<CommittedBatch>
  /** Takes a batch out of the ledger: of its rows the evaluator hears what is handed over, or nothing. */
  hideFromLedger(id: bigint): Promise<void>
  startEvaluator(options?: {
    now?: () => number
    env?: Record<string, string>
    statementTimeoutMs?: number
  }): Evaluator
  /** How often an evaluator had to begin anew. */
  failures(): Promise<number>
  /** How old what the ledger has shown last was. */
  lagSeconds(): Promise<number>
  /** All alerts, in order of their beginning. */
  alerts(): Promise<AlertSaid[]>
  /** Waits until everything that is committed has been evaluated, and stored. */
  evaluated(): Promise<void>
  close(): Promise<void>
}

/** The fleet with its rules; `minutes`: how long ago minute 0 is. */
export async function openEvaluatedFleet(options: {
  rules: readonly TestRule[]
  devices?: number
  minutes?: number
}): Promise<EvaluatedFleet> {
  const database: TestDatabase = await createTestDatabase()
  const open = (pipelined: boolean, statementTimeoutMs = STATEMENT_TIMEOUT_MS) =>
    createDatabase({
      url: database.url,
      poolMax: 8,
      statementTimeoutMs,
      connectTimeoutMs: 10_000,
      applicationName: 'evaluator test',
      pipelined,
      onIdleError: () => {},
    })
  const db = open(false)
  const pool: Pool = db.$client
  const { $client: evaluatorPool } = open(true)
  const pools = new Set([pool, evaluatorPool])
  const folder = await makeTestFolder()
  const nextId = createBatchIds({ now: Date.now, process: 1 })
  const evaluators: Evaluator[] = []
  const metrics = createEvaluatorMetrics(new Registry())
  const beginMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - (options.minutes ?? 0) * MINUTE_MS
  const count = options.devices ?? 1

  const applyRules = async (rules: readonly TestRule[]) => {
    const fleet = parseFleet(JSON.stringify(fleetFile(count, rules)), 'fleet.json')
    const credentialsPath = join(folder, 'credentials.json')
    await applyFleet(db, fleet, {
      source: 'fleet.json',
      credentialsPath,
      prune: true,
      rotate: [],
      dryRun: false,
      now: new Date(),
      hashCost: TEST_HASH_COST,
    })
  }
  await applyRules(options.rules)
  await pool.query(AS_OF_YESTERDAY)
  const ids = await pool.query<{ id: number; unitId: number; organizationId: number; type: string }>(
    `SELECT id, unit_id AS "unitId", organization_id AS "organizationId", device_type AS type FROM devices ORDER BY device_eui`,
  )
  const devices = ids.rows.filter(({ type }) => type === 'temperature').map(({ id }) => id)
  const doorDevice = ids.rows.find(({ type }) => type === 'door')?.id ?? 0
  const { unitId = 0, organizationId = 0 } = ids.rows[0] ?? {}

  const write = async (readings: ReadingRow[], doors: DoorRow[]): Promise<CommittedBatch> => {
    const id = nextId()
    await writeBatch(
      pool,
      { id, writer: randomUUID(), readings, doors, rejected: [], hubStatuses: [], receipts: [] },
      { statementTimeoutMs: STATEMENT_TIMEOUT_MS, expectDuplicates: false },
    )
    return { id, readings, doors }
  }
  /** Of one message: all have arrived at once. */
  const rowOf = (deviceId: number, arrivalMinute: number | undefined) => ({
    deviceId,
    unitId,
    organizationId,
    receivedAtMs: arrivalMinute === undefined ? Date.now() : beginMs + arrivalMinute * MINUTE_MS,
    source: 'hub' as const,
  })
  return {
    url: database.url,
    db,
    evaluatorPool,
    beginMs,
    unitId,
    devices,
    doorDevice,
    applyRules,
    commit(readings, device = 0, arrivalMinute) {
      const row = rowOf(devices[device] ?? 0, arrivalMinute)
      return write(
        readings.map(([minute, temperature]) => {
          const recordedAtMs = beginMs + minute * MINUTE_MS
          return {
            ...row,
            recordedAtMs,
            temperature,
            humidity: null,
            battery: null,
            rssi: null,
            snr: null,
            fault: temperature === null ? 'no_probe' : null,
          }
        }),
        [],
      )
    },
    commitDoors(events, arrivalMinute) {
      const row = rowOf(doorDevice, arrivalMinute)
      return write(
        [],
        events.map(([minute, state]) => {
          const occurredAtMs = beginMs + minute * MINUTE_MS
          return { ...row, occurredAtMs, state }
        }),
      )
    },
    async hideFromLedger(id) {
      await pool.query('DELETE FROM pipeline.ingest_batches WHERE id = $1', [id])
    },
    startEvaluator({ now = Date.now, env = {}, statementTimeoutMs = STATEMENT_TIMEOUT_MS } = {}) {
      const isUsual = statementTimeoutMs === STATEMENT_TIMEOUT_MS
      const ownPool = isUsual ? evaluatorPool : open(true, statementTimeoutMs).$client
      pools.add(ownPool)
      const shape = { ...evaluatorSettings, ...pagingSettings }
      const settings = {
        ...parseSettings(shape, { ...FAST, ...env }),
        DATABASE_STATEMENT_TIMEOUT_MS: statementTimeoutMs,
      }
      const log = pino({ level: process.env['TEST_LOG_LEVEL'] ?? 'silent' })
      const evaluator = new Evaluator({ pool: ownPool, log, settings, metrics, now })
      evaluators.push(evaluator)
      evaluator.start()
      return evaluator
    },
    failures: () => sumOf(metrics.failures),
    lagSeconds: () => sumOf(metrics.lagSeconds),
    alerts: () => readAlerts(pool, beginMs),
    evaluated: () => until('all that is committed is evaluated', () => isEvaluated(pool)),
    async close() {
      await Promise.all(evaluators.map((evaluator) => evaluator.stop()))
      await Promise.all([...pools].map((one) => one.end()))
      await database.drop()
      await removeTestFolder(folder)
    },
  }
}

export async function sumOf(metric: Counter | Gauge): Promise<number> {
  const { values } = await metric.get()
  return values.reduce((sum, { value }) => sum + value, 0)
}

async function isEvaluated(pool: Pool): Promise<boolean> {
  const { rows } = await pool.query<{ left: number }>(
    `SELECT count(*)::int AS left FROM pipeline.ingest_batches b
     WHERE NOT EXISTS (SELECT FROM pipeline.evaluator_cursors c WHERE (c.tx, c.batch_id) >= (b.tx, b.id))`,
  )
  return rows[0]?.left === 0
}

function fleetFile(devices: number, rules: readonly TestRule[]) {
  const euis = Array.from(
    { length: devices },
    (_, index) => `a84041000000${(256 + index).toString(16).padStart(4, '0')}`,
  )
  return {
    organization: { slug: 'example', name: 'Example', timezone: 'Europe/Berlin' },
    sites: [
      {
        name: 'Test',
        hubs: [{ key: 'hub-t1' }],
        areas: [
          {
            name: 'Kitchen',
            units: [
              {
                name: 'Cooler',
                unit_type: 'walk_in_cooler',
                devices: [
                  ...euis.map((eui) => device(eui, 'temperature')),
                  device('a84041000000ffff', 'door'),
                ],
              },
            ],
          },
        ],
      },
    ],
    alert_rules: rules.map((rule) => ({ severity: 'warning', ...rule })),
  }
}

function device(device_eui: string, device_type: string) {
  return { device_eui, hub: 'hub-t1', device_type, reporting_interval_seconds: INTERVAL_MS / 1_000 }
}
