/** `npm run rejected:replay`: puts back the rejected items that can be stored by now. */
import { publishRoute } from '../broker/topics.ts'
import { withDatabase } from '../db/cli/with-database.ts'
import { createDatabase } from '../db/client.ts'
import { databaseError } from '../db/errors.ts'
import { findOrganization } from '../db/replay/organization.ts'
import { explainUnreachable } from '../db/unreachable.ts'
import { type CommandLine, parseCommandLine, USAGE } from '../ingest/replay/command-line.ts'
import { type ReplayOptions, replayRejected } from '../ingest/replay/replay.ts'
import { formatProgress, formatTally, openTally } from '../ingest/replay/tally.ts'

/** One page is read, placed and stored after the other. */
const POOL_MAX = 2
const STATEMENT_TIMEOUT_MS = 60_000
const CONNECT_TIMEOUT_MS = 10_000
const PROGRESS_MS = 1_000

async function replay(url: string, line: CommandLine): Promise<void> {
  const { $client: pool } = createDatabase({
    url,
    poolMax: POOL_MAX,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    applicationName: 'frostguard rejected:replay',
    onIdleError: () => {},
  })
  try {
    const { organization, limit, dryRun } = line
    const organizationId = organization === undefined ? undefined : await findOrganization(pool, organization)
    const filter = { ...line.filter, organizationId }
    await runAndPrint({
      pool,
      routeOf: publishRoute,
      filter,
      limit,
      dryRun,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    })
  } finally {
    await pool.end()
  }
}

/** Prints the books also of a run that fails: what it has stored stays stored. */
async function runAndPrint(options: ReplayOptions): Promise<void> {
  const tally = openTally()
  const progress = setInterval(() => process.stderr.write(`${formatProgress(tally)}\n`), PROGRESS_MS)
  const heading = options.dryRun ? 'Dry run, nothing was written. It would be:\n' : ''
  try {
    await replayRejected({ ...options, tally })
    process.stdout.write(`${heading}${formatTally(tally)}\n`)
  } catch (error) {
    if (tally.lookedAt > 0) process.stdout.write(`${heading}${formatTally(tally)}\n`)
    throw new Error(
      `The replay ended early: ${reasonOf(error)}. ` +
        'What it had stored is stored and rejected no longer; run it again for the rest.',
      { cause: error },
    )
  } finally {
    clearInterval(progress)
  }
}

function reasonOf(error: unknown): string {
  const refusal = databaseError(error)
  if (refusal) return `PostgreSQL says "${refusal.message}" (${refusal.code})`
  const { reason, isPassing } = explainUnreachable(error)
  return isPassing || !(error instanceof Error) ? reason : error.message.replace(/\.$/, '')
}

async function main(): Promise<void> {
  const line = parseCommandLine(process.argv.slice(2))
  if (!line) process.stdout.write(`${USAGE}\n`)
  else await withDatabase(({ url }) => replay(url, line))
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
