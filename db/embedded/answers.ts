import { realpath } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'

const ANSWER_TIMEOUT_MS = 2_000
const POLL_MS = 100
/** SQLSTATE: the server starts, recovers or stops; all connections taken (it works, so it counts as an answer). */
const CANNOT_CONNECT_NOW = '57P03'
const TOO_MANY_CONNECTIONS = '53300'
/** SQLSTATE class 28: the password is not this cluster's. */
const BAD_LOG_IN = /^28/

export type Answer = 'ours' | 'not_ours' | 'starting' | 'none'

/** Asks the server at `url` once whether it works on the cluster in `folder`. */
async function askServer(url: string, folder: string): Promise<Answer> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: ANSWER_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory')
    return (await realPath(rows[0]?.data_directory ?? '')) === folder ? 'ours' : 'not_ours'
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === CANNOT_CONNECT_NOW) return 'starting'
    if (code === TOO_MANY_CONNECTIONS) return 'ours'
    return BAD_LOG_IN.test(code) ? 'not_ours' : 'none'
  } finally {
    await client.end().catch(() => {})
  }
}

function realPath(path: string): Promise<string | undefined> {
  return realpath(path).catch(() => undefined)
}

/**
 * Asks until the server answers: at most `silentMsMax` without any answer, and `startingMsMax` while it says that it is
 * starting (recovery after a crash takes its time).
 */
export async function waitForAnswer(options: {
  url: string
  folder: string
  silentMsMax: number
  startingMsMax: number
}): Promise<Answer> {
  const { url, folder, silentMsMax, startingMsMax } = options
  const began = performance.now()
  for (;;) {
    const answer = await askServer(url, folder)
    if (answer === 'ours' || answer === 'not_ours') return answer
    const limitMs = answer === 'starting' ? startingMsMax : silentMsMax
    if (performance.now() - began >= limitMs) return answer
    await sleep(POLL_MS)
  }
}
