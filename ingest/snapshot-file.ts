import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Logger } from 'pino'
import { decodeSnapshot, encodeSnapshot, type RegistryContents } from './registry-snapshot.ts'

/** Where the registry is kept for a start without the database. */
export interface SnapshotPlace {
  path: string
  /** Names the database: a snapshot of another one is not used. */
  database: string
}

/** It holds credential hashes: only its owner may read it. */
const MODE = 0o600

/**
 * Replaces the snapshot in one step: a crash at any moment leaves the old one or the new one. Resolves when it is on the
 * disk, synced. One caller at a time.
 */
export async function writeSnapshot(place: SnapshotPlace, contents: RegistryContents): Promise<void> {
  const next = `${place.path}.next`
  // What a killed process left may have another mode.
  await rm(next, { force: true })
  const file = await open(next, 'wx', MODE)
  try {
    await file.writeFile(encodeSnapshot(contents, place.database))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(next, place.path)
  await syncFolder(dirname(place.path))
}

/** The snapshot; undefined when there is none, and, with a line in the log, when it cannot be used. */
export async function readSnapshot(place: SnapshotPlace, log: Logger): Promise<RegistryContents | undefined> {
  try {
    return decodeSnapshot(await readFile(place.path, 'utf8'), place.database)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (!isMissing(error))
      log.warn(`The snapshot of devices and log-ins ${place.path} is not used: ${reason}`)
    return undefined
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
