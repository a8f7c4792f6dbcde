import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { makeTestFolder } from '../../../db/testing/test-folder.ts'
import { type OpenSpoolOptions, openSpool } from '../spool.ts'
import type { Spool } from '../types.ts'

export const MIB = 1_048_576
const SILENT = pino({ level: 'silent' })
/** More than any test appends. */
export const EVERYTHING = { batches: 1_000_000, bytes: 1_000 * MIB }

/** A spool's folder, not made yet; gone after the test. */
export async function testFolder(): Promise<string> {
  const parent = await makeTestFolder()
  onTestFinished(() => rm(parent, { recursive: true, force: true }))
  return join(parent, 'spool')
}

/** Opens the spool of a folder; closed after the test. */
export async function openTestSpool(folder: string, change: Partial<OpenSpoolOptions> = {}): Promise<Spool> {
  const spool = await openSpool({
    folder,
    bytesMax: 256 * MIB,
    ageMaxMs: Number.POSITIVE_INFINITY,
    now: Date.now,
    log: SILENT,
    ...change,
  })
  onTestFinished(() => spool.close())
  return spool
}

/** The ids of all that is in a spool, in order. */
export async function idsIn(spool: Spool): Promise<number[]> {
  return (await spool.oldest(EVERYTHING)).map(({ id }) => Number(id))
}
