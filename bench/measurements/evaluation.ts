import { setTimeout as sleep } from 'node:timers/promises'
import { type Metrics, readMetrics } from '../processes/metrics.ts'
import type { FigureSet } from '../report/figures.ts'

/** How far the evaluator was when the last message had its PUBACK. */
export interface Evaluation {
  /** Committed, and not evaluated. */
  rowsBehind: number
  /** How long it took until all was evaluated; undefined: longer than anybody waits. */
  caughtUpSeconds: number | undefined
}

const CATCH_UP_MS_MAX = 120_000
const POLL_MS = 50

/** Waits until the evaluator of a service that has just started is at work: it is part of what is measured. */
export async function whenEvaluating(metricsUrl: string): Promise<void> {
  const giveUpAt = performance.now() + CATCH_UP_MS_MAX
  while ((await readMetrics(metricsUrl)).get('frostguard_evaluator_active') !== 1) {
    if (performance.now() > giveUpAt) throw new Error('The evaluator of the service did not begin.')
    await sleep(POLL_MS)
  }
}

/** Waits until the service has evaluated all that it has committed. */
export async function whenEvaluated(metricsUrl: string): Promise<Evaluation> {
  const startedAt = performance.now()
  const rowsBehind = rowsBehindOf(await readMetrics(metricsUrl))
  let left = rowsBehind
  while (left > 0) {
    if (performance.now() - startedAt > CATCH_UP_MS_MAX) return { rowsBehind, caughtUpSeconds: undefined }
    await sleep(POLL_MS)
    left = rowsBehindOf(await readMetrics(metricsUrl))
  }
  return { rowsBehind, caughtUpSeconds: rowsBehind === 0 ? 0 : (performance.now() - startedAt) / 1_000 }
}

function rowsBehindOf(metrics: Metrics): number {
  const count = (name: string) => metrics.get(`frostguard_${name}_total`) ?? 0
  const committed = count('readings_committed') + count('door_events_committed')
  return Math.max(0, committed - count('evaluated_rows'))
}

export function addEvaluation(figures: FigureSet, name: string, evaluation: Evaluation | undefined): void {
  figures.add(`${name}: not evaluated when the load ended`, 'rows', evaluation?.rowsBehind)
  figures.add(`${name}: until all was evaluated`, 's', evaluation?.caughtUpSeconds)
}
