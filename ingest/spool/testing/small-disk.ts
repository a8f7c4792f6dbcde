import { execFile } from 'node:child_process'
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { testFolder } from './spools.ts'

const run = promisify(execFile)

export interface SmallDisk {
  folder: string
  /** Takes all room but so many bytes, as another program would. */
  fill(bytesLeft: number): Promise<void>
  /** Gives that room back. */
  free(): Promise<void>
}

/** A disk of some MiB in memory, gone after the test; undefined where this user may not mount one. */
export async function mountSmallDisk(sizeMib: number): Promise<SmallDisk | undefined> {
  const disk = dirname(await testFolder())
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m,mode=755`, 'tmpfs', disk])
  } catch {
    return undefined
  }
  onTestFinished(() => run('umount', ['-l', disk]).then(() => undefined))
  const folder = join(disk, 'spool')
  await mkdir(folder, { mode: 0o700 })
  const filler = join(disk, 'filler')
  return {
    folder,
    fill: async (bytesLeft) => {
      await rm(filler, { force: true })
      const { bavail, bsize } = await statfs(disk)
      await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - bytesLeft)))
    },
    free: () => rm(filler, { force: true }),
  }
}

export const NEEDS_MOUNT = 'this user may not mount a tmpfs, which makes the small disk: run as root on Linux'
