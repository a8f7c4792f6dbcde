import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { bytesReceived, cutConnection, endConnection } from './end-connection.ts'
import { databaseError } from './errors.ts'
import { type Look, type ServerSide, whyGivenUp } from './silence.ts'

const LOOK_EVERY_MS = 2_000
/** For another connection to be opened, and for its answer. */
const ANSWER_MS = 5_000

/** A session of the server; process ids come again. */
export interface Backend {
  pid: number
  startedAt: string
}

export interface WatchOptions {
  client: Client
  backend: Backend
  /** Where to ask: the same address as the client's. */
  url: string
  /** Aborted when the client's work is done. */
  signal: AbortSignal
}

/**
 * While the client waits for an answer, asks the server over another connection whether it works on it, and cuts the
 * client's when it does not: a connection that is lost without a word is silent for ever, and a limit in time would
 * also end a migration or the closing of a partition, which may take hours.
 */
export async function watchConnection({ client, backend, url, signal }: WatchOptions): Promise<void> {
  let before: Look | undefined
  while (!signal.aborted) {
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    if (!waitsForAnswer(client)) {
      before = undefined
      continue
    }
    const serverSide = await askServer(url, backend, signal)
    if (signal.aborted) return
    const now = { serverSide, bytesReceived: bytesReceived(client) }
    const reason = whyGivenUp(before, now)
    if (reason !== undefined) return cutConnection(client, lost(reason))
    before = now
  }
}

/** With the code that the network has for it: it may pass. */
function lost(reason: string): Error {
  return Object.assign(new Error(`the connection to the database is silent and was cut: ${reason}`), {
    code: 'ETIMEDOUT',
  })
}

function waitsForAnswer(client: Client): boolean {
  return !(client as unknown as { readyForQuery: boolean }).readyForQuery
}

async function askServer(url: string, backend: Backend, signal: AbortSignal): Promise<ServerSide> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: ANSWER_MS,
    query_timeout: ANSWER_MS,
    application_name: 'frostguard watch',
  })
  client.on('error', () => {})
  const giveUp = () => cutConnection(client)
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    await client.connect()
    const { rows } = await client.query<SessionRow>(
      `SELECT state, wait_event FROM pg_stat_activity
       WHERE pid = $1 AND extract(epoch FROM backend_start)::text = $2`,
      [backend.pid, backend.startedAt],
    )
    return serverSideOf(rows[0])
  } catch (error) {
    // It answers: that it has no connection left, for example, says nothing against the one that is open.
    return databaseError(error) ? 'works' : 'does not answer'
  } finally {
    signal.removeEventListener('abort', giveUp)
    await endConnection(client)
  }
}

interface SessionRow {
  state: string | null
  wait_event: string | null
}

function serverSideOf(session: SessionRow | undefined): ServerSide {
  if (!session) return 'is gone'
  if (session.state?.startsWith('idle') || session.wait_event === 'ClientWrite') return 'waits for us'
  return session.wait_event === 'SyncRep' ? 'waits for a standby' : 'works'
}
