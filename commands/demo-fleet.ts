import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createDatabase, type Database } from '../db/client.ts'
import { verifySecret } from '../db/credentials.ts'
import { applyFleet } from '../db/fleet/apply.ts'
import { readCredentials as readCredentialsFile } from '../db/fleet/credentials-file.ts'
import { parseFleet } from '../db/fleet/parse.ts'
import type { FleetReport } from '../db/fleet/report.ts'
import type { DemoLine } from '../simulators/demo-command-line.ts'
import { generateFleet } from '../simulators/fleets/generate-fleet.ts'
import { readCredentials, readFleetPlan } from '../simulators/fleets/read-fleet.ts'
import { publishersOf, withoutSecret } from '../simulators/publishers.ts'
import type { PublisherName } from '../simulators/types.ts'

const ORGANIZATION = 'demo-simulated'
/** One that holds the fleet lock, one that reads and writes. */
const POOL_MAX = 2
const STATEMENT_TIMEOUT_MS = 180_000
const CONNECT_TIMEOUT_MS = 10_000

export interface DemoFleet {
  fleetPath: string
  credentialsPath: string
  report: FleetReport
}

/**
 * Makes the database have the demo's fleet, and DATA_DIR/demo its file and its secrets. With the same numbers it is the
 * same fleet with the same secrets; those that the file lacks, or that are of another database, are made anew.
 */
export async function applyDemoFleet(
  databaseUrl: string,
  options: { dataDir: string; fleet: DemoLine['fleet'] },
): Promise<DemoFleet> {
  const folder = join(options.dataDir, 'demo')
  const fleetPath = join(folder, 'fleet.json')
  const credentialsPath = join(folder, 'credentials.json')
  const json = generateFleet({ ...options.fleet, organization: ORGANIZATION })
  const text = `${JSON.stringify(json, null, 2)}\n`
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(fleetPath, text)
  const secrets = readCredentials(await readCredentialsFile(credentialsPath))
  const db = createDatabase({
    url: databaseUrl,
    poolMax: POOL_MAX,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    applicationName: 'frostguard demo',
    onIdleError: () => {},
  })
  try {
    const rotate = await unusable(db, publishersOf(readFleetPlan(json)), secrets)
    const report = await applyFleet(db, parseFleet(text, fleetPath), {
      source: fleetPath,
      credentialsPath,
      // The organization is the demo's alone: what an earlier demo had and this one has not is gone.
      prune: true,
      rotate,
      dryRun: false,
      now: new Date(),
    })
    return { fleetPath, credentialsPath, report }
  } finally {
    await db.$client.end()
  }
}

/** Whose secrets have to be made anew: those that are missing, or all when they are not those of this database. */
async function unusable(
  db: Database,
  publishers: readonly PublisherName[],
  secrets: ReadonlyMap<PublisherName, string>,
): Promise<PublisherName[]> {
  const known = publishers.find((publisher) => secrets.has(publisher) && !publisher.includes(':'))
  if (known === undefined || !(await isRight(db, known, secrets.get(known) ?? ''))) return [...publishers]
  return withoutSecret(publishers, secrets)
}

/** Whether the database takes the secret of a hub. */
async function isRight(db: Database, hubKey: string, secret: string): Promise<boolean> {
  const { rows } = await db.$client.query<{ hash: string | null }>(
    'SELECT credential_hash AS hash FROM hubs WHERE key = $1 AND deleted_at IS NULL',
    [hubKey],
  )
  const hash = rows[0]?.hash
  return typeof hash === 'string' && (await verifySecret(secret, hash))
}
