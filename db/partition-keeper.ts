import { drizzle } from 'drizzle-orm/node-postgres'
import { Client } from 'pg'
import { ensurePartitions } from './partitions.ts'
import type { ServerLog } from './server-log.ts'

const CONNECT_TIMEOUT_MS = 10_000
const INTERVAL_MS = 6 * 60 * 60 * 1_000

/**
 * Makes the partitions ahead four times a day, over a direct connection opened for it; there are always two months
 * ahead, so a failed attempt has a long time to be mended.
 */
export function keepPartitions(directUrl: string, log: ServerLog): { stop(): Promise<void> } {
  let running: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    running = make(directUrl).catch((error: Error) =>
      log.error(`partitions ahead not made, trying again in 6 h: ${error.message}`),
    )
  }, INTERVAL_MS)
  return {
    stop() {
      clearInterval(timer)
      return running
    },
  }
}

async function make(directUrl: string): Promise<void> {
  const client = new Client({ connectionString: directUrl, connectionTimeoutMillis: CONNECT_TIMEOUT_MS })
  // What breaks the connection also fails the query under way.
  client.on('error', () => {})
  await client.connect()
  try {
    await ensurePartitions(drizzle(client), new Date())
  } finally {
    await client.end()
  }
}
