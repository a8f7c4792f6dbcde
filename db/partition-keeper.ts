import { drizzle } from 'drizzle-orm/node-postgres'
import type { Client } from 'pg'
import { onOwnConnection } from './own-connection.ts'
import { closePartitions } from './partition-closing.ts'
import { ensurePartitions, narrowPartitions } from './partitions.ts'
import type { ServerLog } from './server-log.ts'

const INTERVAL_MS = 15 * 60 * 1_000
/** After the first failure in a row, then twice as long each time. */
const RETRY_FIRST_MS = 5_000

/**
 * Keeps the partitions at start and every quarter of an hour, over direct connections opened for it: makes those
 * ahead, narrows them where the fleet has grown, closes those that have passed. There are always days ahead, so a
 * failed attempt has a long time to be mended. Closing is apart: it takes long for a large partition, and waits for
 * every transaction that uses it, however long somebody leaves it open; it goes after the narrowing of its
 * turn, which is refused while one is closed. `stop` cuts what is under way.
 */
export function keepPartitions(
  directUrl: string,
  log: ServerLog,
  intervalMs = INTERVAL_MS,
): { stop(): Promise<void> } {
  const making = startJob({ directUrl, log, intervalMs, work: makeAndNarrow })
  const closing = startJob({ directUrl, log, intervalMs, work: closePassed, after: making.ended })
  return {
    async stop() {
      await Promise.all([making.stop(), closing.stop()])
    },
  }
}

type Work = (client: Client, log: ServerLog) => Promise<void>

interface Job {
  directUrl: string
  log: ServerLog
  intervalMs: number
  work: Work
  /** What goes first in each turn. */
  after?: () => Promise<void> | undefined
}

/** Does the work at once and at intervals, one at a time. */
function startJob({ directUrl, log, intervalMs, work, after }: Job) {
  const stopping = new AbortController()
  const { signal } = stopping
  const own = { url: directUrl, applicationName: 'frostguard partitions', signal }
  let running: Promise<void> | undefined
  let retry: NodeJS.Timeout | undefined
  let retryMs = RETRY_FIRST_MS
  const turn = async () => {
    // Without any, it is under way at once: others ask when it has ended.
    if (after) await after()
    if (signal.aborted) return
    running ??= onOwnConnection(own, (client) => work(client, log))
      .then(() => {
        retryMs = RETRY_FIRST_MS
      })
      .catch((error: Error) => {
        if (signal.aborted) return
        const inMs = Math.min(retryMs, intervalMs)
        log.error(`partitions not kept, trying again in ${Math.round(inMs / 1_000)} s: ${error.message}`)
        clearTimeout(retry)
        retry = setTimeout(turn, inMs)
        retryMs *= 2
      })
      .finally(() => {
        running = undefined
      })
  }
  void turn()
  const timer = setInterval(turn, intervalMs)
  return {
    /** Resolves when what is under way has ended, whatever came of it. */
    ended: () => running,
    async stop() {
      clearInterval(timer)
      clearTimeout(retry)
      // Ends what is under way: it is taken up again at the next start.
      stopping.abort()
      await running
    },
  }
}

async function makeAndNarrow(client: Client, log: ServerLog): Promise<void> {
  const now = new Date()
  await ensurePartitions(drizzle(client), now)
  const narrowed = await narrowPartitions(drizzle(client), now)
  if (narrowed.length > 0)
    log.info(`the fleet has grown: ${narrowed.length} narrower partitions from ${narrowed[0]} on`)
}

async function closePassed(client: Client, log: ServerLog): Promise<void> {
  for (const partition of await closePartitions(client, new Date())) log.info(`partition ${partition} closed`)
}
