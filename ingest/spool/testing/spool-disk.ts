import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { mountTmpfs, type SmallDisk } from '../../../db/testing/small-disk.ts'
import { testFolder } from './spools.ts'

/** A small disk with a folder for a spool. */
export interface SpoolDisk extends SmallDisk {
  folder: string
}

/** A disk of some MiB in memory, gone after the test; undefined where this user may not mount one. */
export async function mountSpoolDisk(sizeMib: number): Promise<SpoolDisk | undefined> {
  const place = dirname(await testFolder())
  const disk = await mountTmpfs(place, sizeMib)
  if (!disk) return undefined
  onTestFinished(disk.unmount)
  const folder = join(place, 'spool')
  await mkdir(folder, { mode: 0o700 })
  return { ...disk, folder }
}
