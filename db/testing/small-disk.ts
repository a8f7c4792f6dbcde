import { execFile } from 'node:child_process'
import { rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface SmallDisk {
  /** Takes all room but so many bytes, as another program would. */
  fill(bytesLeft: number): Promise<void>
  /** Gives that room back. */
  free(): Promise<void>
  unmount(): Promise<void>
}

/** Mounts a disk of some MiB in memory on an empty folder; undefined where this user may not. */
export async function mountTmpfs(folder: string, sizeMib: number): Promise<SmallDisk | undefined> {
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m,mode=755`, 'tmpfs', folder])
  } catch {
    return undefined
  }
  const filler = join(folder, 'filler')
  return {
    fill: async (bytesLeft) => {
      await rm(filler, { force: true })
      const { bavail, bsize } = await statfs(folder)
      // Without room for it, somebody else was writing as well; then the disk is as full.
      await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - bytesLeft))).catch(unlessFull)
    },
    free: () => rm(filler, { force: true }),
    // Lazily: a process that was killed may still be ending.
    unmount: async () => void (await run('umount', ['-l', folder])),
  }
}

export const NEEDS_MOUNT = 'this user may not mount a tmpfs, which makes the small disk: run as root on Linux'

function unlessFull(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOSPC') throw error
}
