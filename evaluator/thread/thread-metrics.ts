import { type Metric, Registry } from 'prom-client'
import { createEvaluatorMetrics } from '../metrics.ts'
import type { MetricSaid } from './messages.ts'

const ACTIVE = 'frostguard_evaluator_active'

/**
 * Lets a registry of this thread show the metrics that the evaluator counts in its own. `ask`: what they are now; undefined where
 * there is no answer, then it shows what was last said.
 */
export function registerThreadMetrics(
  register: Registry,
  ask: () => Promise<readonly MetricSaid[] | undefined>,
): void {
  const own = new Registry()
  createEvaluatorMetrics(own)
  let said = new Map<string, MetricSaid>()
  let asked: Promise<void> | undefined
  const refresh = async () => {
    const metrics = await ask()
    if (metrics) said = new Map(metrics.map((metric) => [metric.name, metric]))
    // One that does not answer does not evaluate, whatever it has said.
    else said.delete(ACTIVE)
    asked = undefined
  }
  for (const { name } of own.getMetricsAsArray()) {
    const get = async () => {
      asked ??= refresh()
      await asked
      return said.get(name) ?? own.getSingleMetric(name)?.get()
    }
    // All that a registry asks of a metric.
    register.registerMetric({ name, get } as unknown as Metric)
  }
}
