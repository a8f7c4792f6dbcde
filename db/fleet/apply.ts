import { DrizzleQueryError } from 'drizzle-orm'
import { canonicalJson } from '../audit/canonical-json.ts'
import type { Database } from '../client.ts'
import type { HashCost } from '../credentials.ts'
import { databaseError } from '../errors.ts'
import {
  type Credentials,
  mergeCredentials,
  readCredentials,
  type StagedFile,
  stageCredentials,
} from './credentials-file.ts'
import { findDuplicates } from './duplicates.ts'
import { type FlatFleet, flattenFleet } from './flatten.ts'
import { FleetError, throwIssues } from './fleet-error.ts'
import type { Fleet } from './fleet-file.ts'
import { underFleetLock } from './fleet-lock.ts'
import { type LogInPlan, planLogIns } from './log-ins.ts'
import { placesAfter } from './places.ts'
import { findBadReferences, resolveScopes } from './references.ts'
import { type FleetReport, makeReport } from './report.ts'
import { createSecrets, type NewSecret } from './secrets.ts'
import { type FleetState, loadState } from './state.ts'
import { type FleetWrite, type Written, writeFleet } from './write-fleet.ts'

/** Somebody else's transaction and ours waited for each other; the server ended ours, so it can be tried again. */
const DEADLOCK = '40P01'
const WRITE_ATTEMPTS_MAX = 3

export interface ApplyOptions {
  /** The file's name, for messages. */
  source: string
  credentialsPath: string
  /** Soft-deletes what the organization has and the file has not. */
  prune: boolean
  /** Log-ins that get a new secret; see `parseLogIn`. */
  rotate: readonly string[]
  /** Only says what would be done. */
  dryRun: boolean
  now: Date
  /** Of the hashes of new secrets, where tests make many. */
  hashCost?: HashCost
}

/**
 * Makes the database have what a fleet file says: checks everything first, then writes the differences in one
 * transaction, and new secrets into the credentials file. Throws a `FleetError` with a sentence for the operator; unless
 * that says otherwise, nothing was changed. Uses two connections of the pool.
 */
export async function applyFleet(db: Database, fleet: Fleet, options: ApplyOptions): Promise<FleetReport> {
  try {
    return await underFleetLock(db, () => applyLocked(db, fleet, options))
  } catch (error) {
    throw translate(error)
  }
}

async function applyLocked(db: Database, fleet: Fleet, options: ApplyOptions): Promise<FleetReport> {
  const credentials = await readCredentials(options.credentialsPath)
  const unchecked = flattenFleet(fleet)
  const state = await loadState(db, unchecked)
  const { flat, logIns } = check(unchecked, state, options)
  const secrets = options.dryRun ? [] : await createSecrets(logIns.renewed, options.hashCost)
  const write: FleetWrite = {
    flat,
    state,
    secrets: { made: secrets, revoked: logIns.revoked },
    prune: options.prune,
    now: options.now,
  }
  const written = options.dryRun
    ? await rehearse(db, write)
    : await commit(db, write, { credentials, secrets, logIns, path: options.credentialsPath })
  const unknownHubs = unknownHubsOf(credentials, flat, state)
  return makeReport({ options, slug: flat.organization.slug, written, logIns, unknownHubs })
}

/** Everything that can be wrong, before anything is written. Returns the fleet with the scopes of its rules resolved. */
function check(
  unchecked: FlatFleet,
  state: FleetState,
  options: ApplyOptions,
): { flat: FlatFleet; logIns: LogInPlan } {
  throwIssues(options.source, findDuplicates(unchecked))
  const places = placesAfter(unchecked, state, options.prune)
  const { rules, issues } = resolveScopes(unchecked.rules, places)
  const flat = { ...unchecked, rules }
  const logIns = planLogIns(flat, state, options)
  throwIssues(options.source, [...findBadReferences(flat, state, places), ...issues])
  throwIssues('The command line', logIns.issues)
  return { flat, logIns }
}

/** Writes everything and takes it back: so a dry run meets what a real one would meet. */
async function rehearse(db: Database, write: FleetWrite): Promise<Written> {
  const done = new Error('A dry run is rolled back')
  let rehearsed: Written | undefined
  try {
    await writeAgainAfterDeadlock(db, write, (written) => {
      rehearsed = written
      throw done
    })
  } catch (error) {
    if (error !== done || !rehearsed) throw error
    return rehearsed
  }
  throw done
}

interface SecretsJob {
  credentials: Credentials
  secrets: readonly NewSecret[]
  logIns: LogInPlan
  path: string
}

/** The secrets are on the disk before the commit, and in their place after it: none is lost, none is there too early. */
async function commit(db: Database, write: FleetWrite, job: SecretsJob): Promise<Written> {
  const merged = mergeCredentials(job.credentials, job.secrets, job.logIns.revoked)
  const differs = canonicalJson(merged) !== canonicalJson(job.credentials)
  const staged = differs ? await stageCredentials(job.path, merged) : undefined
  let readyToCommit = false
  try {
    const written = await writeAgainAfterDeadlock(db, write, () => {
      readyToCommit = true
    })
    await staged?.publish()
    return written
  } catch (error) {
    if (error instanceof FleetError) throw error
    // Without an answer to COMMIT nobody knows whether the new secrets hold.
    if (staged && readyToCommit && !databaseError(error)) throw lostCommit(staged, error)
    await staged?.discard()
    throw error
  }
}

async function writeAgainAfterDeadlock(
  db: Database,
  write: FleetWrite,
  beforeCommit: (written: Written) => void,
): Promise<Written> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction(async (tx) => {
        const written = await writeFleet(tx, write)
        beforeCommit(written)
        return written
      })
    } catch (error) {
      if (databaseError(error)?.code !== DEADLOCK || attempt >= WRITE_ATTEMPTS_MAX) throw error
    }
  }
}

function lostCommit({ temporaryPath }: StagedFile, cause: unknown): FleetError {
  return new FleetError(
    `The database went away during the commit: nobody knows whether the fleet was applied. The new secrets, merged with the old ones, are in ${temporaryPath}. ` +
      'Run this again: if it reports that these secrets exist already, move that file to its place; otherwise delete it.',
    { cause },
  )
}

/** Hubs of a credentials file that this organization does not have: it may be another organization's file. */
function unknownHubsOf(credentials: Credentials, flat: FlatFleet, state: FleetState): string[] {
  const known = new Set<unknown>([
    ...flat.hubs.map(({ hub }) => hub.key),
    ...state.rows.hub.map((row) => row.values['key']),
  ])
  return Object.keys(credentials.hubs).filter((key) => !known.has(key))
}

/** Drizzle's own message repeats the statement and its parameters, and those hold hashes. */
function translate(error: unknown): unknown {
  if (error instanceof FleetError) return error
  const answer = databaseError(error)
  if (answer) {
    const detail = answer.detail ? ` (${answer.detail})` : ''
    return new FleetError(
      `The database refused the fleet: ${answer.message}${detail}. Nothing was changed. ` +
        'If something else changed the same data at this moment, run this again.',
    )
  }
  if (!(error instanceof DrizzleQueryError)) return error
  const reason = error.cause?.message ?? 'it gave no reason'
  return new FleetError(`The database went away: ${reason}. Nothing was changed. Run this again.`)
}
