import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { createDatabase, type Database } from '../../client.ts'
import { organizations } from '../../schema/index.ts'
import { TEST_HASH_COST } from '../../testing/fleet.ts'
import { createTestDatabase } from '../../testing/test-database.ts'
import { type ApplyOptions, applyFleet } from '../apply.ts'
import type { Credentials } from '../credentials-file.ts'
import { parseFleet } from '../parse.ts'
import { type FleetReport, formatReport } from '../report.ts'

/** Unlike the command's: nothing is pruned, rotated or dry unless told, and `db` may be another way to the database. */
export type Options = Partial<Omit<ApplyOptions, 'source'>> & { db?: Database }

/** A database with the schema, and a folder for credentials. */
export interface FleetFixture {
  db: Database
  url: string
  credentialsPath: string
  /** Applies a file's content, as the command does; `text` is what the command would print. */
  apply(fleet: unknown, options?: Options): Promise<FleetReport & { text: string }>
  credentials(): Promise<Credentials>
  organizationId(slug?: string): Promise<number>
  close(): Promise<void>
}

/** A pool that survives the connections that a test breaks. */
export function openFleetDatabase(url: string): Database {
  return createDatabase({
    url,
    poolMax: 6,
    statementTimeoutMs: 60_000,
    connectTimeoutMs: 10_000,
    onIdleError: () => {},
  })
}

export async function openFleetFixture(): Promise<FleetFixture> {
  const database = await createTestDatabase()
  const folder = await mkdtemp(join(tmpdir(), 'frostguard-fleet-'))
  const db = openFleetDatabase(database.url)
  const credentialsPath = join(folder, 'credentials.json')
  return {
    db,
    url: database.url,
    credentialsPath,
    async apply(fleet, { db: by = db, ...options } = {}) {
      const report = await applyFleet(by, parseFleet(JSON.stringify(fleet), 'fleet.json'), {
        source: 'fleet.json',
        credentialsPath,
        prune: false,
        rotate: [],
        dryRun: false,
        now: new Date(),
        hashCost: TEST_HASH_COST,
        ...options,
      })
      return { ...report, text: formatReport(report) }
    },
    credentials: async () => JSON.parse(await readFile(credentialsPath, 'utf8')),
    async organizationId(slug = 'demo') {
      const [row] = await db.select().from(organizations).where(eq(organizations.slug, slug))
      if (!row) throw new Error(`No organization ${slug}`)
      return row.id
    },
    async close() {
      await db.$client.end()
      await database.drop()
      await rm(folder, { recursive: true })
    },
  }
}

/** The totals of a report over all kinds. */
export function totals({ counts }: FleetReport) {
  const sum = { created: 0, updated: 0, revived: 0, removed: 0, unchanged: 0 }
  for (const kind of Object.values(counts)) {
    for (const column of Object.keys(sum) as (keyof typeof sum)[]) sum[column] += kind[column]
  }
  return sum
}
