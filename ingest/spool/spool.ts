import { closeSync, fsyncSync, openSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Logger } from 'pino'
import { THREAD_ARGUMENTS } from '../../thread-arguments.ts'
import type { Spool } from './types.ts'
import type { SpoolWorkerData } from './worker-messages.ts'
import { WorkerSpool } from './worker-spool.ts'

export interface OpenSpoolOptions {
  /** Holds the spool's files; made with mode 0700 if it is not there. */
  folder: string
  /** Limit of what the files take on disk. */
  bytesMax: number
  /** When the oldest batch is older, the spool counts as full. */
  ageMaxMs: number
  /** Epoch milliseconds. */
  now: () => number
  log: Logger
}

const FILE = 'spool.db'

/**
 * Opens the spool of a folder, or makes a new one, for this process alone. What was appended before is in it, also
 * after a kill or a power cut at any moment, on a disk that is honest about fsync. Rejects with a `SpoolFailedError`
 * when another process has it open, or when its file is damaged or of another kind; it never deletes one.
 */
export async function openSpool(options: OpenSpoolOptions): Promise<Spool> {
  const { folder, bytesMax, ageMaxMs, now, log } = options
  await makeFolder(folder)
  const file = join(folder, FILE)
  const worker = new Worker(new URL('./spool-worker.ts', import.meta.url), {
    name: 'spool',
    workerData: { file, bytesMax } satisfies SpoolWorkerData,
    execArgv: THREAD_ARGUMENTS,
  })
  const spool = new WorkerSpool(worker, { file, ageMaxMs, now, log })
  await spool.opened
  return spool
}

async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 })
  // SQLite syncs the folder of its files, not that folder's own name.
  if (first !== undefined) syncFolder(dirname(first))
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
