import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { until } from '../../db/testing/poll.ts'
import type { TestServer } from '../../db/testing/test-server.ts'

const LOCK_TIMEOUT_MS = 3_000
const BACK_MS_MAX = 60_000
const POLL_MS = 50

interface ProcessLine {
  pid: number
  parent: number
  title: string
}

/** Runs statements on a connection of their own, past the proxies. */
export async function onServer<Result>(
  url: string,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  // A connection that breaks fails the query that waits; without a listener it would end the process.
  client.on('error', () => {})
  try {
    await client.connect()
    return await work(client)
  } finally {
    // Whatever the server does just now, the socket is closed.
    await Promise.race([client.end().catch(() => {}), sleep(1_000)])
  }
}

/** Resolves when the server takes queries; PostgreSQL that has lost a backend needs a moment. */
export async function untilServerAnswers(url: string): Promise<void> {
  const deadline = performance.now() + BACK_MS_MAX
  for (;;) {
    const isBack = await onServer(url, (client) => client.query('SELECT 1')).then(
      () => true,
      () => false,
    )
    if (isBack) return
    if (performance.now() > deadline) {
      throw new Error(`PostgreSQL was started and has not taken a query for ${BACK_MS_MAX} ms.`)
    }
    await sleep(POLL_MS)
  }
}

/** kill -9 of one process that serves a connection; false when there is none. */
export function killBackend(server: TestServer, share: number): boolean {
  const backends = childrenOf(server.pid).filter(({ title }) => /\d+\.\d+\.\d+\.\d+\(\d+\)/.test(title))
  const chosen = backends[Math.floor(share * backends.length)]
  return chosen !== undefined && signal(chosen.pid, 'SIGKILL')
}

/** SIGSTOP of the server and all its processes, SIGCONT after a while. */
export async function freeze(server: TestServer, ms: number): Promise<void> {
  const thaw = freezeServer(server)
  try {
    await sleep(ms)
  } finally {
    thaw()
  }
}

/** SIGSTOP of the server and all its processes; returns what lets them go on. */
export function freezeServer(server: TestServer): () => void {
  // First the one that makes the others: then the list is complete. Each of them may still end by itself.
  signal(server.pid, 'SIGSTOP')
  const children = childrenOf(server.pid).map(({ pid }) => pid)
  for (const pid of children) signal(pid, 'SIGSTOP')
  return () => {
    for (const pid of [...children, server.pid]) signal(pid, 'SIGCONT')
  }
}

/** Holds an exclusive lock for a while; throws when it cannot be had. */
export async function holdLock(url: string, table: string, ms: number): Promise<void> {
  await onServer(url, async (client) => {
    await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`)
    await client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`)
    await sleep(ms)
    await client.query('ROLLBACK')
  })
}

/**
 * Ends all sessions that an application has in the database, and waits until they are gone: what the server has received of a
 * batch that was given up it would carry out as soon as it can, whatever it waits for, or has not come to yet.
 */
export async function endSessions(url: string, applicationName: string): Promise<void> {
  await onServer(url, async (client) => {
    const { rows } = await client.query<{ pid: number }>(
      `SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = $1`,
      [applicationName],
    )
    await until(`the sessions of "${applicationName}" have ended`, async () => {
      const left = await client.query('SELECT 1 FROM pg_stat_activity WHERE pid = ANY ($1)', [
        rows.map(({ pid }) => pid),
      ])
      return left.rowCount === 0
    })
  })
}

function childrenOf(pid: number): ProcessLine[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().match(/^(\d+)\s+(\d+)\s+(.*)$/))
    .filter((match) => match !== null)
    .map(([, own, parent, title = '']) => ({ pid: Number(own), parent: Number(parent), title }))
    .filter(({ parent }) => parent === pid)
}

/** False when the process has ended meanwhile. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}
