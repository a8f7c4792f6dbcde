import type { Database } from '../client.ts'
import { databaseError } from '../errors.ts'
import { type Credentials, mergeCredentials, readCredentials, type StagedFile, stageCredentials } from './credentials-file.ts'
import { findDuplicates } from './duplicates.ts'
import { FleetError, throwIssues } from './fleet-error.ts'
import type { Fleet } from './fleet-file.ts'
import { type FlatFleet, flattenFleet } from './flatten.ts'
import { underFleetLock } from './fleet-lock.ts'
import { fileLogIns, type LogInPlan, planLogIns, storedLogIns } from './log-ins.ts'
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
  const secrets = options.dryRun ? [] : await createSecrets(logIns.renewed)
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
function check(unchecked: FlatFleet, state: FleetState, options: ApplyOptions): { flat: FlatFleet; logIns: LogInPlan } {
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
  const rehearsal = new Rehearsal()
  try {
    await db.transaction(async (tx) => {
      rehearsal.written = await writeFleet(tx, write)
      throw rehearsal
    })
  } catch (error) {
    if (error !== rehearsal || !rehearsal.written) throw error
  }
  return rehearsal.written as Written
}

class Rehearsal extends Error {
  written: Written | undefined
}
