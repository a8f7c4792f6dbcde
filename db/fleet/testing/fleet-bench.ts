import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { createDatabase, type Database } from '../../client.ts'
import { organizations } from '../../schema/index.ts'
import { createTestDatabase } from '../../testing/test-database.ts'
import { type ApplyOptions, applyFleet } from '../apply.ts'
import type { Credentials } from '../credentials-file.ts'
import { parseFleet } from '../parse.ts'
import { type FleetReport, formatReport } from '../report.ts'

export type Options = Partial<Pick<ApplyOptions, 'prune' | 'rotate' | 'dryRun' | 'credentialsPath' | 'now'>>

/** A database with the schema, and a folder for credentials. */
export interface FleetBench {
  db: Database
  url: string
  credentialsPath: string
  /** Applies a file's content, as the command does; `text` is what the command would print. */
  apply(fleet: unknown, options?: Options): Promise<FleetReport & { text: string }>
  credentials(): Promise<Credentials>
  organizationId(slug?: string): Promise<number>
  close(): Promise<void>
}

export async function openFleetBench(): Promise<FleetBench> {
  const database = await createTestDatabase()
  const folder = await mkdtemp(join(tmpdir(), 'frostguard-fleet-'))
  const db = createDatabase({
    url: database.url,
    poolMax: 6,
    statementTimeoutMs: 60_000,
    connectTimeoutMs: 10_000,
    onIdleError: () => {},
  })
  db.$client.on('connect', (client) => client.on('error', () => {}))
  const credentialsPath = join(folder, 'credentials.json')
  return {
    db,
    url: database.url,
    credentialsPath,
    async apply(fleet, options = {}) {
      const report = await applyFleet(db, parseFleet(JSON.stringify(fleet), 'fleet.json'), {
        source: 'fleet.json',
        credentialsPath,
        prune: false,
        rotate: [],
        dryRun: false,
        now: new Date(),
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
