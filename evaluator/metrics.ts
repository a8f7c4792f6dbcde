import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

const PREFIX = 'frostguard_'
const SEVERITIES = ['info', 'warning', 'critical'] as const

export interface EvaluatorMetrics {
  evaluateSeconds: Histogram
  rows: Counter
  refolds: Counter
  refoldsFailed: Counter
  notEvaluated: Counter
  handOverDropped: Counter
  active: Gauge
  lagSeconds: Gauge
  failures: Counter
  setAside: Gauge
  late: Gauge
  old: Gauge
  /** How many alerts are open, by severity. */
  setOpenAlerts(counts: Readonly<Partial<Record<string, number>>>): void
}

export function createEvaluatorMetrics(register: Registry): EvaluatorMetrics {
  const registers = [register]
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `${PREFIX}${name}`, help, labelNames, registers })
  const open = new Gauge({
    name: `${PREFIX}alerts_open`,
    help: 'Open alerts',
    labelNames: ['severity'],
    registers,
  })
  const setOpenAlerts = (counts: Readonly<Partial<Record<string, number>>>) => {
    for (const severity of SEVERITIES) open.set({ severity }, counts[severity] ?? 0)
  }
  setOpenAlerts({})
  return {
    setOpenAlerts,
    evaluateSeconds: new Histogram({
      name: `${PREFIX}evaluate_seconds`,
      help: 'From the commit of a reading to the commit of what it changed about an alert',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    rows: counter('evaluated_rows_total', 'Readings and door events that the evaluator has seen'),
    refolds: counter(
      'evaluator_refolds_total',
      'Devices folded again from their rows, because of late input',
    ),
    refoldsFailed: counter(
      'evaluator_refolds_failed_total',
      'Times that the rows of a device could not be folded: it is tried again every minute, and not judged until then',
    ),
    notEvaluated: counter('not_evaluated_total', 'Readings and door events that nothing can judge', [
      'reason',
    ]),
    handOverDropped: counter(
      'evaluator_hand_over_dropped_total',
      'Committed batches that found no room in memory and were read from the ledger',
    ),
    lagSeconds: new Gauge({
      name: `${PREFIX}evaluator_lag_seconds`,
      help: 'Age of the oldest committed batch that is not evaluated; 0 when there is none',
      registers,
    }),
    active: new Gauge({
      name: `${PREFIX}evaluator_active`,
      help: 'Whether this process evaluates: 1 in one process of those on a database, 0 in the others',
      registers,
    }),
    setAside: new Gauge({
      name: `${PREFIX}evaluator_set_aside`,
      help: 'Units, hubs and devices that cannot be judged, or of which the database refuses what was found',
      registers,
    }),
    late: new Gauge({
      name: `${PREFIX}evaluator_late_waiting`,
      help: 'Units at which something that came late, or could not be read before, waits to be judged',
      registers,
    }),
    old: new Gauge({
      name: `${PREFIX}evaluator_old_waiting`,
      help: 'Units at which something came that is more than 7 days older than what was known: it is judged behind what is live',
      registers,
    }),
    failures: counter('evaluator_failures_total', 'Times that the evaluator began anew from the database'),
  }
}
