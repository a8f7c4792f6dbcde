import { randomUUID } from 'node:crypto'
import type { Pool, PoolClient } from 'pg'
import { Registry } from 'prom-client'
import { vi } from 'vitest'
import { openCursor } from '../../db/evaluation/cursor.ts'
import { parseSettings } from '../../settings.ts'
import { HandOver } from '../hand-over.ts'
import { waitForLease } from '../lease.ts'
import { createEvaluatorMetrics } from '../metrics.ts'
import { pagingLimits, pagingSettings } from '../paging/config.ts'
import { Reads } from '../reads.ts'
import { Session } from '../session.ts'
import { EVALUATOR } from '../session-writer.ts'
import { evaluatorSettings } from '../settings.ts'
import { type EvaluatedFleet, sumOf } from './evaluated-fleet.ts'

const STATEMENT_TIMEOUT_MS = 30_000
const LEASE_MS = 3_600_000

/** A session whose turns a test takes one by one. */
export interface SteppedSession {
  session: Session
  handOver: HandOver
  /** How often devices were folded again. */
  refolds: () => Promise<number>
  /** How often that was tried in vain. */
  refoldsFailed: () => Promise<number>
  /** Stores what is only in memory. */
  end: () => Promise<void>
}

type ReadMs = (deviceId: number) => number

interface SteppedOptions {
  /** How long each read of the rows of one device takes, by the clock of the session. */
  readMs?: number | ReadMs
  /** In how much of such time what came late has its turn. */
  turnMs: number
  pageRows: number
  saveMs?: number
  /** How long a statement that reads may take. */
  statementTimeoutMs?: number
  onSetAside?: (subject: string, error: unknown) => void
}

/** Holds the clock by which a session measures time: only a test moves it on, and reads that take long. */
export function holdTime(): void {
  vi.useFakeTimers({ toFake: ['performance'] })
  vi.advanceTimersByTime(1)
}

/** A session on what was committed to a fleet. Whatever another one has left goes on: it holds nothing any more. */
export async function openSteppedSession(
  { evaluatorPool: pool }: EvaluatedFleet,
  {
    readMs = 0,
    turnMs,
    pageRows,
    saveMs = 0,
    statementTimeoutMs = STATEMENT_TIMEOUT_MS,
    onSetAside = notExpected,
  }: SteppedOptions,
): Promise<SteppedSession> {
  const metrics = createEvaluatorMetrics(new Registry())
  const handOver = new HandOver(10_000)
  await pool.query('DELETE FROM pipeline.leases')
  const lease = await waitForLease(
    pool,
    { name: EVALUATOR, holder: randomUUID(), forMs: LEASE_MS },
    { signal: new AbortController().signal, onWait: () => {} },
  )
  if (!lease) throw new Error('The lease was expected to be free')
  const env = { EVALUATOR_SAVE_MS: String(saveMs), EVALUATOR_POLL_MS: '10' }
  const settings = parseSettings({ ...evaluatorSettings, ...pagingSettings }, env)
  const session = await Session.open(
    {
      pool,
      reads: new Reads({
        pool: slowPool(pool, typeof readMs === 'number' ? () => readMs : readMs),
        statementTimeoutMs,
        standStillMs: 60_000,
        turnMs,
        now: Date.now,
      }),
      lease,
      handOver,
      metrics,
      settings: { ...settings, EVALUATOR_PAGE_ROWS_MAX: pageRows },
      limits: pagingLimits(settings),
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      now: Date.now,
      utilization: () => 0,
      onDefect: () => {},
      onSetAside,
      onBack: () => {},
      onTold: () => {},
    },
    (await openCursor(pool, EVALUATOR)).cursor,
  )
  return {
    session,
    handOver,
    refolds: () => sumOf(metrics.refolds),
    refoldsFailed: () => sumOf(metrics.refoldsFailed),
    end: () => session.end(),
  }
}

function notExpected(subject: string, error: unknown): void {
  throw new Error(`nothing was expected to be set aside, but ${subject} was`, { cause: error })
}

/** By how much each read of the rows of one device moves the held clock on; a client outlives a session. */
const readMsOf = new WeakMap<PoolClient, ReadMs>()

function slowPool(pool: Pool, readMs: ReadMs): Pool {
  const connect = async () => {
    const client = await pool.connect()
    if (!readMsOf.has(client)) slowDown(client)
    readMsOf.set(client, readMs)
    return client
  }
  return { connect } as unknown as Pool
}

function slowDown(client: PoolClient): void {
  const { query } = client
  client.query = ((...args: [{ text: string; values?: unknown[] } | string, unknown[]?]) => {
    const [statement, given] = args
    const { text, values = given } = typeof statement === 'string' ? { text: statement } : statement
    if (text.includes('FROM public.sensor_readings') && text.includes('r.device_id = ')) {
      vi.advanceTimersByTime(readMsOf.get(client)?.(Number(values?.[0])) ?? 0)
    }
    return Reflect.apply(query, client, args)
  }) as typeof query
}
