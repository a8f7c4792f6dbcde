import { join } from 'node:path'
import { createTestFleet } from '../../db/testing/fleet.ts'
import { makeTestFolder, removeTestFolder } from '../../db/testing/test-folder.ts'
import type { BenchContext, LoadShape } from '../context.ts'
import { type Books, bytesWhenClosed, differences, readBooks } from '../database/books.ts'
import { openPool } from '../database/pool.ts'
import { copyStoredRows } from '../database/stored-rows.ts'
import { complaintsOf } from '../processes/complaints.ts'
import { startService } from '../processes/servers.ts'
import { FLEET } from './load-arguments.ts'
import { type LoadMeasurement, measureLoad } from './mqtt-load.ts'

interface ProcessMeasurement extends LoadMeasurement {
  /** The exit code of the service, or the signal that ended it. */
  ended: number | NodeJS.Signals
  /** Its warnings and errors. */
  complaints: string[]
}

export interface ServiceMeasurement extends ProcessMeasurement {
  books: Books
  /** Of the partitions that have rows, once they are closed. */
  bytesWhenClosed: number
  /** Why it does not count; none when it does. */
  problems: string[]
  /** The first rows as they were written, at most `rawRows`: binary COPY data. */
  storedRows: Buffer
}

/** The generator against FrostGuard on a database of its own; afterwards the database is compared with the ledger. */
export async function measureService(context: BenchContext, shape: LoadShape): Promise<ServiceMeasurement> {
  const database = await context.server.createDatabase()
  const pool = openPool(database.url)
  try {
    const { slug, euiPrefix } = FLEET
    await createTestFleet(pool, { slug, hubs: shape.connections, devices: shape.devices, euiPrefix })
    const measured = await measureProcess(context, { shape, url: database.url })
    const books = await readBooks(pool)
    const storedRows = await copyStoredRows(pool, context.rawRows)
    const closed = await bytesWhenClosed(pool, database.url)
    return { ...measured, books, bytesWhenClosed: closed, storedRows, problems: problemsOf(measured, books) }
  } finally {
    await pool.end()
    await database.drop()
  }
}

async function measureProcess(
  context: BenchContext,
  { shape, url }: { shape: LoadShape; url: string },
): Promise<ProcessMeasurement> {
  // Its spool: what another run has left in one would be drained into this database.
  const folder = await makeTestFolder()
  context.resources.defer(() => removeTestFolder(folder))
  const settings = { DATA_DIR: join(folder, 'data'), ...context.serviceSettings, DATABASE_URL: url }
  const server = await startService(settings, context.resources)
  try {
    const measured = await measureLoad(context, { shape, server, side: 'service', withDatabase: true })
    await server.child.end()
    return { ...measured, ended: await server.child.ended, complaints: complaintsOf(server.child.stderr) }
  } catch (error) {
    await server.child.end()
    throw withComplaints(error, complaintsOf(server.child.stderr))
  }
}

function withComplaints(error: unknown, complaints: readonly string[]): Error {
  const message = error instanceof Error ? error.message : String(error)
  return new Error([message.trimEnd(), ...complaints.map(said)].join('\n'), { cause: error })
}

function said(complaint: string): string {
  return `the service said: ${complaint}`
}

/** The differences in the books, with what may explain them. */
function problemsOf({ load, ended, complaints }: ProcessMeasurement, books: Books): string[] {
  const found = differences(books, load)
  if (ended !== 0) found.push(`the service ended with ${ended}`)
  if (found.length === 0) return []
  return [...found, ...complaints.map(said)]
}
