import type { Pool } from 'pg'
import type { BenchContext, LoadShape } from '../context.ts'
import { type Books, booksSince, bytesWhenClosed, differences, readBooks } from '../database/books.ts'
import { type Copies, readCopies } from '../database/copies.ts'
import { createFleet } from '../database/fleet.ts'
import { openPool } from '../database/pool.ts'
import { copyStoredRows } from '../database/stored-rows.ts'
import type { LoadPhase } from '../generator/load.ts'
import type { LoadResult } from '../generator/result.ts'
import { complaintsOf } from '../processes/complaints.ts'
import type { Metrics } from '../processes/metrics.ts'
import { type MqttServer, startService } from '../processes/servers.ts'
import { metricsWhenDrained, stillHeld } from './drained.ts'
import { type Evaluation, whenEvaluated, whenEvaluating } from './evaluation.ts'
import { FLEET, type LoadVariation } from './load-arguments.ts'
import { type LoadMeasurement, measureLoad } from './mqtt-load.ts'

/** What is sent to a service, and what is done beside. */
export interface ServiceLoad {
  shape: LoadShape
  variation?: LoadVariation
  /** The service is there, and nothing is sent yet. */
  beforeLoad?: (server: MqttServer) => Promise<void>
  onPhase?: (phase: LoadPhase) => void
  /** All that the load has sent is acknowledged; the service is still there. */
  afterLoad?: () => Promise<void>
  /** Readings that were sent beside the load, which are not part of its books. */
  readingsBeside?: () => number
}

interface ProcessMeasurement extends LoadMeasurement {
  /** Of the service, when all was acknowledged. */
  metrics: Metrics
  /** The exit code of the service, or the signal that ended it. */
  ended: number | NodeJS.Signals
  /** Its warnings and errors. */
  complaints: string[]
  evaluation: Evaluation | undefined
}

export interface ServiceRun extends ProcessMeasurement {
  /** Of what has come in. */
  books: Books
  /** Why it does not count; none when it does. */
  problems: string[]
}

export interface ServiceMeasurement extends ServiceRun {
  copies: Copies
  /** Of the partitions that have rows, once they are closed. */
  bytesWhenClosed: number
  /** The first rows as they were written, at most `rawRows`: binary COPY data. */
  storedRows: Buffer
}

/** The generator against FrostGuard on a database of its own, which is then looked at closely. */
export function measureService(context: BenchContext, shape: LoadShape): Promise<ServiceMeasurement> {
  return onFleetDatabase(context, shape, async (database) => {
    const run = await runServiceOn(context, database, { shape })
    const copies = await readCopies(database.pool)
    const storedRows = await copyStoredRows(database.pool, context.rawRows)
    return { ...run, copies, storedRows, bytesWhenClosed: await bytesWhenClosed(database.pool, database.url) }
  })
}

/** The generator against FrostGuard on a database of its own. */
export function runService(
  context: BenchContext,
  shape: LoadShape,
  variation: LoadVariation = {},
): Promise<ServiceRun> {
  return onFleetDatabase(context, shape, (database) => runServiceOn(context, database, { shape, variation }))
}

export async function onFleetDatabase<Result>(
  context: BenchContext,
  shape: LoadShape,
  work: (database: { url: string; pool: Pool }) => Promise<Result>,
): Promise<Result> {
  const database = await context.server.createDatabase()
  const pool = openPool(database.url)
  try {
    const { slug, euiPrefix } = FLEET
    await createFleet(pool, { slug, hubs: shape.connections, devices: shape.devices, euiPrefix })
    return await work({ url: database.url, pool })
  } finally {
    await pool.end()
    await database.drop()
  }
}

/**
 * The generator against FrostGuard on this database, which knows the fleet. Afterwards what has come in is compared
 * with the ledger of the generator.
 */
export async function runServiceOn(
  context: BenchContext,
  { url, pool }: { url: string; pool: Pool },
  load: ServiceLoad,
): Promise<ServiceRun> {
  const before = await readBooks(pool)
  const measured = await measureProcess(context, url, load)
  const books = without(booksSince(before, await readBooks(pool)), load.readingsBeside?.() ?? 0)
  return { ...measured, books, problems: problemsOf(measured, books) }
}

function without(books: Books, readings: number): Books {
  return { ...books, rows: books.rows - readings, ledger: books.ledger - readings }
}

async function measureProcess(
  context: BenchContext,
  url: string,
  { shape, variation, beforeLoad, onPhase, afterLoad }: ServiceLoad,
): Promise<ProcessMeasurement> {
  const server = await startService({ ...context.serviceSettings, DATABASE_URL: url }, context.resources)
  const isEvaluating = context.serviceSettings['EVALUATOR'] !== 'off'
  try {
    if (isEvaluating) await whenEvaluating(server.metricsUrl)
    await beforeLoad?.(server)
    const load = { shape, variation, server, side: 'service', withDatabase: true, onPhase }
    const measured = await measureLoad(context, load)
    const evaluation = isEvaluating ? await whenEvaluated(server.metricsUrl) : undefined
    await afterLoad?.()
    const metrics = await metricsWhenDrained(server.metricsUrl)
    if (afterLoad && isEvaluating) await whenEvaluated(server.metricsUrl)
    await server.child.end()
    const ended = await server.child.ended
    return { ...measured, metrics, evaluation, ended, complaints: complaintsOf(server.child.stderr) }
  } catch (error) {
    await server.child.end()
    throw withComplaints(error, complaintsOf(server.child.stderr))
  }
}

/** Readings whose PUBACK came from the spool, not from the database; undefined where there were none. */
export function spooledReadings({ metrics }: Pick<ServiceRun, 'metrics'>): number | undefined {
  return metrics.get('frostguard_readings_spooled_total') || undefined
}

function withComplaints(error: unknown, complaints: readonly string[]): Error {
  const message = error instanceof Error ? error.message : String(error)
  return new Error([message.trimEnd(), ...complaints.map(said)].join('\n'), { cause: error })
}

function said(complaint: string): string {
  return `the service said: ${complaint}`
}

/** The differences in the books, with what may explain them. */
function problemsOf(
  { load, metrics, evaluation, ended, complaints }: ProcessMeasurement,
  books: Books,
): string[] {
  const found = [...stillHeld(metrics), ...differences(books, load), ...duplicatesAmiss(metrics, load)]
  if (load.measured.acknowledgedMessages === 0) found.push('nothing was acknowledged while it was measured')
  if (ended !== 0) found.push(`the service ended with ${ended}`)
  if (evaluation?.caughtUpSeconds === undefined && evaluation) {
    found.push(`the evaluator was ${evaluation.rowsBehind} rows behind, and did not catch up`)
  }
  if (found.length === 0) return []
  return [...found, ...complaints.map(said)]
}

/** Duplicates leave no rows: the service counts them. */
function duplicatesAmiss(metrics: Metrics, { expected }: LoadResult): string[] {
  const counts = [
    ['readings', expected.readingsDuplicate],
    ['door_events', expected.doorsDuplicate],
  ] as const
  return counts.flatMap(([name, sentAgain]) => {
    const counted = metrics.get(`frostguard_${name}_duplicate_total`)
    return counted === sentAgain ? [] : [`${name} counted as duplicates: ${counted}, expected ${sentAgain}`]
  })
}
