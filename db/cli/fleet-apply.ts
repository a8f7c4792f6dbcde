import { createDatabase } from '../client.ts'
import { applyFleet } from '../fleet/apply.ts'
import { type CommandLine, parseCommandLine, USAGE } from '../fleet/command-line.ts'
import type { Fleet } from '../fleet/fleet-file.ts'
import { readFleet } from '../fleet/parse.ts'
import { formatReport } from '../fleet/report.ts'
import { withDatabase } from './with-database.ts'

/** One that holds the lock, one that reads and writes. */
const POOL_MAX = 2
/** Longer than the longest wait for the lock. */
const STATEMENT_TIMEOUT_MS = 180_000
const CONNECT_TIMEOUT_MS = 10_000

async function main(): Promise<void> {
  const line = parseCommandLine(process.argv.slice(2))
  if (!line) {
    console.log(USAGE)
    return
  }
  const fleet = await readFleet(line.fleetPath)
  await withDatabase(({ url }) => apply(url, fleet, line))
}

async function apply(url: string, fleet: Fleet, line: CommandLine): Promise<void> {
  const db = createDatabase({
    url,
    poolMax: POOL_MAX,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    applicationName: 'frostguard fleet:apply',
    onIdleError: () => {},
  })
  try {
    const report = await applyFleet(db, fleet, { ...line, source: line.fleetPath, now: new Date() })
    console.log(formatReport(report))
  } finally {
    await db.$client.end()
  }
}

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
