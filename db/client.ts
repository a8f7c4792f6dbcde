import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { Pool, type PoolClient } from 'pg'
import { ANSWER_GRACE_MS } from './limited-query.ts'
import * as relations from './relations/index.ts'
import * as tables from './schema/index.ts'

const schema = { ...tables, ...relations }

/** Drizzle over a pool (`db.$client`), with the relations of every table for `db.query`. */
export type Database = NodePgDatabase<typeof schema> & { $client: Pool }

/** What `db.transaction` hands to its work. */
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0]

export interface DatabaseOptions {
  url: string
  /** Connections at most. */
  poolMax: number
  /** The server ends a statement of a transaction after this long; 57014. */
  statementTimeoutMs: number
  /** How long to wait for a new connection, or for a free one. */
  connectTimeoutMs: number
  /** Keep idle connections, so that nobody else can take their places at the server. */
  keepIdle?: boolean
  /** Statements are sent without waiting for the answers of those before them: see `together`. It takes no COPY. */
  pipelined?: boolean
  /** Seen in pg_stat_activity. */
  applicationName?: string
  /** Told when a connection breaks while it is idle and the pool goes on; it is replaced by itself. */
  onIdleError: (error: Error) => void
}

const IDLE_MS = 10_000
/** Below the time after which firewalls forget a connection that is silent. */
const KEEP_ALIVE_MS = 60_000

/**
 * Opens a pool; connects with the first query. Works behind PgBouncer in transaction mode: no named statements, and
 * nothing that lives in a session. So the statement timeout is set inside each transaction (as a start parameter
 * PgBouncer would refuse it, https://www.pgbouncer.org/config.html#ignore_startup_parameters), and every query also
 * has a limit on this side, for a server that does not answer. Of a single statement the server knows no limit: one that
 * may wait for a lock and is asked again and again goes through `queryWithLimit`.
 */
export function createDatabase(options: DatabaseOptions): Database {
  const pool = new Pool({
    connectionString: options.url,
    max: options.poolMax,
    connectionTimeoutMillis: options.connectTimeoutMs,
    query_timeout: options.statementTimeoutMs + ANSWER_GRACE_MS,
    application_name: options.applicationName ?? 'frostguard',
    pipeline: options.pipelined ?? false,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    // 0 is for ever.
    idleTimeoutMillis: options.keepIdle ? 0 : IDLE_MS,
  })
  // Without a listener, an idle connection that breaks would end the process.
  pool.on('error', (error) => {
    // pg-pool hangs the whole client on the error, with its keys and buffers: a log line of pages.
    Reflect.deleteProperty(error, 'client')
    // An ending pool does not wait for its connections, so that the server may be the one who ends them.
    if (!pool.ending) options.onIdleError(error)
  })
  // The same for one that breaks in a transaction: Drizzle sets no listener, but its query fails, which is enough.
  pool.on('connect', (client) => client.on('error', () => {}))
  pool.on('release', endIfUnanswered)
  return withOwnTransactions(drizzle(pool, { schema }), options.statementTimeoutMs)
}

/**
 * A client whose query has timed out still waits for the answer, and whoever borrowed it next would wait too. The pool
 * drops a client that is ending.
 */
function endIfUnanswered(error: Error | boolean | undefined, client: PoolClient): void {
  const { readyForQuery } = client as unknown as { readyForQuery: boolean }
  if (!error && !readyForQuery) client.end().catch(() => {})
}

/**
 * Replaces Drizzle's `transaction`, which never gives a connection back whose BEGIN fails (drizzle-orm 0.45.4,
 * node-postgres/session.js: `begin` stands before its `try`), and sets the statement timeout in each transaction.
 */
function withOwnTransactions(db: Database, statementTimeoutMs: number): Database {
  const databases = new WeakMap<PoolClient, NodePgDatabase<typeof schema>>()
  const on = (client: PoolClient) => {
    const known = databases.get(client) ?? drizzle(client, { schema })
    databases.set(client, known)
    return known
  }
  db.transaction = async (work, config) => {
    const client = await db.$client.connect()
    try {
      return await on(client).transaction(async (tx) => {
        await tx.execute(`SET LOCAL statement_timeout = ${Math.trunc(statementTimeoutMs)}`)
        return work(tx)
      }, config)
    } finally {
      client.release()
    }
  }
  return db
}
