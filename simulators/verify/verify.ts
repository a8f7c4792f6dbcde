import { Client } from 'pg'
import type { ItemCounts, Ledger } from '../ledger/ledger.ts'
import { Comparison, type LedgerRows, PROBLEMS, type Tally } from './comparison.ts'
import { compareRejects, keptRejects, type RejectLine } from './rejects.ts'
import { DOORS_TABLE, READINGS_TABLE, type StoredTable, storedRows } from './stored-rows.ts'

const CONNECT_TIMEOUT_MS = 10_000

/** How database and ledger compare. */
export interface Books {
  readings: ItemCounts & Tally
  doors: ItemCounts & Tally
  rejects: RejectLine[]
  /** DevEUIs, by the index that examples have. */
  devices: readonly string[]
  isOff: boolean
}

/**
 * Compares a database with a ledger: every acknowledged item is stored once as it was sent, nothing was received that
 * was not sent, and what is rejected was meant to be. Throws a sentence when the database is not that of the fleet.
 */
export async function verifyLedger(databaseUrl: string, ledger: Ledger): Promise<Books> {
  return await withClient(databaseUrl, async (client) => {
    const devices = await deviceIds(client, ledger)
    const readings = await compare({
      client,
      ledger,
      devices,
      rows: ledger.readingRows,
      table: READINGS_TABLE,
    })
    const doors = await compare({ client, ledger, devices, rows: ledger.doorRows, table: DOORS_TABLE })
    const rejects = compareRejects(ledger.rejects, await keptRejects(client, ledger.subject))
    return {
      readings: { ...ledger.readings, ...readings },
      doors: { ...ledger.doors, ...doors },
      rejects,
      devices: ledger.subject.devices,
      isOff: hasProblems(readings) || hasProblems(doors) || rejects.some(({ isOff }) => isOff),
    }
  })
}

/** The database's clock, epoch milliseconds: when a run begins by it. */
export async function databaseNowMs(databaseUrl: string): Promise<number> {
  return await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ now: number }>(
      'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now',
    )
    return rows[0]?.now ?? Number.NaN
  })
}

async function withClient<Result>(url: string, action: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'frostguard simulate',
  })
  // A connection that breaks fails the query that waits; without a listener it would end the process.
  client.on('error', () => {})
  try {
    await client.connect()
    return await action(client)
  } finally {
    await client.end().catch(() => {})
  }
}

/** Database id → index in the ledger's subject. */
async function deviceIds(client: Client, { subject }: Ledger): Promise<Map<number, number>> {
  const { rows } = await client.query<{ id: number; devEui: string }>(
    `SELECT d.id, d.device_eui AS "devEui" FROM devices d JOIN organizations o ON o.id = d.organization_id
     WHERE o.slug = $1 AND d.deleted_at IS NULL AND d.device_eui = ANY ($2::text[])`,
    [subject.organization, subject.devices],
  )
  const missing = subject.devices.length - rows.length
  if (missing > 0) {
    throw new Error(
      `The database has not ${missing} of the ${subject.devices.length} devices of organization "${subject.organization}". ` +
        'Expected is the database that the broker writes to: check DATABASE_URL and DATA_DIR, and apply the fleet with fleet:apply.',
    )
  }
  const indexes = new Map(subject.devices.map((devEui, index) => [devEui, index]))
  return new Map(rows.map(({ id, devEui }) => [id, indexes.get(devEui) ?? -1]))
}

async function compare(options: {
  client: Client
  ledger: Ledger
  devices: ReadonlyMap<number, number>
  rows: LedgerRows
  table: StoredTable
}): Promise<Tally> {
  const { client, ledger, devices, rows, table } = options
  const comparison = new Comparison(rows, ledger.subject.devices.length)
  const { startedAtMs } = ledger.subject
  const range = { devices, startedAtMs, ...timesOf(rows, startedAtMs) }
  for await (const page of storedRows(client, table, range)) for (const row of page) comparison.add(row)
  return comparison.finish()
}

function timesOf({ keys }: LedgerRows, startedAtMs: number): { fromMs: number; toMs: number } {
  let fromMs = startedAtMs
  let toMs = startedAtMs
  for (let row = 0; row < keys.length; row++) {
    fromMs = Math.min(fromMs, keys.at.get(row))
    toMs = Math.max(toMs, keys.at.get(row))
  }
  return { fromMs, toMs }
}

function hasProblems({ problems }: Tally): boolean {
  return PROBLEMS.some((kind) => problems[kind] > 0)
}
