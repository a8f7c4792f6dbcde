import { isDeepStrictEqual } from 'node:util'
import type { MessagePort } from 'node:worker_threads'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { explainAway } from '../../db/away.ts'
import { createDatabase } from '../../db/client.ts'
import { within } from '../../ingest/within.ts'
import { Evaluator } from '../evaluator.ts'
import type { HandedBatch } from '../hand-over.ts'
import { createEvaluatorMetrics } from '../metrics.ts'
import { PackedReadings } from '../packed-rows.ts'
import type { FromThread, MetricSaid, ThreadData, ToThread } from './messages.ts'
import { SharedNumbers } from './shared-numbers.ts'

/** One turn at a time; what is asked beside it does not wait for it. */
const CONNECTIONS = 3
/** A pool ends when its last query does; behind a database that hangs, that is not waited for. */
const POOL_END_MS = 1_000

const NOTICES_MS = 500
/** A thread that computes without an end does not beat. */
const BEAT_MS = 500

/** Evaluates when it is told to start, until it is told to stop. */
export function runThread(port: MessagePort, { url, settings, holder, words }: ThreadData): void {
  const shared = new SharedNumbers(words)
  shared.beat()
  setInterval(() => shared.beat(), BEAT_MS).unref()
  const post = (message: FromThread) => port.postMessage(message)
  const log = pino({ level: settings.LOG_LEVEL }, { write: (line: string) => post({ kind: 'log', line }) })
  const { $client: pool } = createDatabase({
    url,
    poolMax: CONNECTIONS,
    statementTimeoutMs: settings.DATABASE_STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: settings.DATABASE_CONNECT_TIMEOUT_MS,
    pipelined: true,
    applicationName: 'frostguard evaluator',
    onIdleError: (error) => log.warn({ err: error }, 'a database connection was lost'),
  })
  const register = new Registry()
  const metrics = createEvaluatorMetrics(register)
  const onTold = () => post({ kind: 'told' })
  const utilization = () => shared.utilization
  const evaluator = new Evaluator({ pool, log, metrics, settings, onTold, utilization, holder })
  const { handOver } = evaluator
  /** Batches before which something is still to come. */
  const ahead = new Set<bigint>()

  const handOf = ({ batch, committedAtMs, isAhead }: Extract<ToThread, { kind: 'batch' }>): HandedBatch => {
    if (isAhead) ahead.add(batch.id)
    return {
      ...batch,
      readings: new PackedReadings(batch.readings),
      committedAtMs: committedAtMs - performance.timeOrigin,
      ...(isAhead ? { isAhead: () => ahead.has(batch.id) } : {}),
    }
  }
  const noteArrived = (ids: readonly bigint[]) => {
    for (const id of ids) ahead.delete(id)
  }
  let noticed: readonly string[] = []
  const noticing = setInterval(() => {
    const notices = [...failureOf(evaluator), ...evaluator.notices()]
    if (isDeepStrictEqual(notices, noticed)) return
    noticed = notices
    post({ kind: 'notices', notices })
  }, NOTICES_MS)
  const stop = async () => {
    clearInterval(noticing)
    await evaluator.stop()
    await within(POOL_END_MS, pool.end())
    port.close()
  }
  port.on('message', (message: ToThread) => {
    switch (message.kind) {
      case 'batch': {
        const handed = handOf(message)
        shared.addInTransit(-1 - handed.readings.length - handed.doors.length)
        noteArrived(message.arrived)
        return handOver.offer(handed, message.landedId)
      }
      case 'left':
        return handOver.leave(message.id, message.landedId)
      case 'landed':
        shared.addInTransit(-1)
        noteArrived(message.arrived)
        return handOver.landed(message.landedId)
      case 'metrics':
        return void register.getMetricsAsJSON().then((said) => {
          post({ kind: 'metrics', call: message.call, metrics: said as unknown as MetricSaid[] })
        })
      case 'start':
        return evaluator.start()
      case 'stop':
        return void stop()
    }
  })
}

function failureOf({ failing }: Evaluator): string[] {
  if (!failing) return []
  const since = new Date(failing.sinceMs).toISOString()
  return [`nothing is evaluated since ${since}: ${explainAway(failing.error)}`]
}
