// The evaluator's thread: what it computes delays no PUBACK, and a busy broker delays no alert.
import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { basename } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import type { ThreadData } from './messages.ts'
import { runThread } from './run-thread.ts'

/** Where there is too little processor time for both, PUBACKs go before alerts: they would be late all the same, and hubs resend. */
const NICE = 5

if (!parentPort) throw new Error('evaluator-worker.ts is a worker thread: see evaluator-thread.ts')
giveWay()
runThread(parentPort, workerData as ThreadData)

/** Lowers the priority of this thread alone, where the system can. */
function giveWay(): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), NICE)
  } catch {
    // A sandbox may refuse it; then both are equal.
  }
}
