/** `npm run audit:verify`: recomputes the audit chain of one organization, or of all. */
import { parseArgs } from 'node:util'
import { asc, eq } from 'drizzle-orm'
import { verifyAuditChain } from '../db/audit/verify.ts'
import { withDatabase } from '../db/cli/with-database.ts'
import { createDatabase, type Database } from '../db/client.ts'
import { organizations } from '../db/schema/index.ts'

const USAGE = `npm run audit:verify -- [--organization SLUG]

Recomputes the chain of hashes of the audit log, from its first entry, and prints the newest hash of each organization: keep it
elsewhere, because entries that are removed from the end leave no trace in the chain itself. Ends with code 1 where an entry was
changed, removed or put there.
`
const STATEMENT_TIMEOUT_MS = 60_000
const CONNECT_TIMEOUT_MS = 10_000

async function verify(db: Database, slug: string | undefined): Promise<void> {
  const wanted = slug === undefined ? undefined : eq(organizations.slug, slug)
  const found = await db
    .select({ id: organizations.id, slug: organizations.slug })
    .from(organizations)
    .where(wanted)
    .orderBy(asc(organizations.slug))
  if (slug !== undefined && found.length === 0) throw new Error(`There is no organization ${slug}.`)
  for (const organization of found) {
    const report = await verifyAuditChain(db, organization.id)
    if (report.intact) {
      const head = report.entries > 0 ? `, newest hash ${report.head.toString('hex')}` : ''
      process.stdout.write(`${organization.slug}: ${report.entries} entries, intact${head}\n`)
    } else {
      const what = report.reason === 'changed' ? 'was changed' : 'does not follow the one before it'
      process.stdout.write(
        `${organization.slug}: broken. Entry ${report.brokenAtId} ${what}; the ${report.entries} before it are intact.\n`,
      )
      process.exitCode = 1
    }
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { organization: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  await withDatabase(async ({ url }) => {
    const db = createDatabase({
      url,
      poolMax: 1,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      applicationName: 'frostguard audit:verify',
      onIdleError: () => {},
    })
    await verify(db, values.organization).finally(() => db.$client.end())
  })
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
