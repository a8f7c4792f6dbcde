import { createHistogram } from 'node:perf_hooks'
import type { Pool } from 'pg'
import type { BenchContext, LoadShape } from '../context.ts'
import { createFleet, type FleetRule } from '../database/fleet.ts'
import { type LoadResult, latencyOf, percentilesOf } from '../generator/result.ts'
import { ALARM_FLEET, AlarmHub } from './alarm-hub.ts'
import type { LoadVariation } from './load-arguments.ts'
import { onFleetDatabase, runServiceOn, type ServiceRun } from './service.ts'

/** One reading is enough. */
const AT_ONCE: FleetRule = {
  name: 'Too warm',
  alertType: 'alarm_active',
  condition: { type: 'temperature_above', limit: 8, for_seconds: 0 },
}

type Latency = Pick<LoadResult['measured'], 'latencyMs' | 'latencyPercentiles'>

export interface AlarmRun extends ServiceRun {
  alerts: number
  /** From the commit of a reading to the commit of the alert that it raised; undefined where the server does not keep the times. */
  fromCommit: Latency | undefined
  /** From the moment when the reading was to be sent. */
  fromSend: Latency | undefined
}

/** The generator against FrostGuard, and beside it a hub that raises alerts. Counts only if each alert is there, once. */
export function runServiceWithAlarms(
  context: BenchContext,
  shape: LoadShape,
  variation: LoadVariation,
): Promise<AlarmRun> {
  return onFleetDatabase(context, shape, async (database) => {
    await createFleet(database.pool, { ...ALARM_FLEET, rules: [AT_ONCE] })
    const hub = new AlarmHub()
    const run = await runServiceOn(context, database, {
      shape,
      variation,
      beforeLoad: ({ port }) => hub.connect(port),
      onPhase: (phase) => phase === 'measuring' && hub.begin(),
      afterLoad: () => hub.end(),
      readingsBeside: () => hub.readings,
    })
    const stored = await readAlarms(database.pool)
    return {
      ...run,
      alerts: stored.length,
      fromCommit: latencyFrom(stored.map(({ fromCommitMs }) => fromCommitMs)),
      fromSend: latencyFrom(stored.map(({ fromSendMs }) => fromSendMs)),
      problems: [...run.problems, ...problemsOf(stored, hub.raisedAtMs)],
    }
  })
}

interface StoredAlarm {
  startedAtMs: number
  status: string
  fromCommitMs: number | null
  fromSendMs: number | null
}

/**
 * The times of both commits are PostgreSQL's own. Neither a reading nor an entry of the audit log is ever changed, so the
 * transaction that `xmin` names is the one that wrote it; an alert's row is.
 */
const ALARMS = `
  SELECT extract(epoch FROM a.started_at)::float8 * 1000 AS "startedAtMs", a.status,
    (extract(epoch FROM e.committed_at - r.committed_at) * 1000)::float8 AS "fromCommitMs",
    (extract(epoch FROM e.committed_at - a.started_at) * 1000)::float8 AS "fromSendMs"
  FROM public.organizations o
  JOIN public.alerts a ON a.organization_id = o.id
  LEFT JOIN LATERAL (
    SELECT CASE WHEN current_setting('track_commit_timestamp') = 'on' THEN pg_xact_commit_timestamp(xmin) END AS committed_at
    FROM public.event_logs
    WHERE organization_id = o.id AND entity_type = 'alert' AND entity_id = a.id AND action = 'alert_raised') e ON true
  LEFT JOIN LATERAL (
    SELECT CASE WHEN current_setting('track_commit_timestamp') = 'on' THEN pg_xact_commit_timestamp(xmin) END AS committed_at
    FROM public.sensor_readings
    WHERE unit_id = a.unit_id AND recorded_at = a.started_at) r ON true
  WHERE o.slug = $1`

async function readAlarms(pool: Pool): Promise<StoredAlarm[]> {
  const { rows } = await pool.query<StoredAlarm>(ALARMS, [ALARM_FLEET.slug])
  return rows.map((row) => ({ ...row, startedAtMs: Math.round(row.startedAtMs) }))
}

/** A sentence for each way in which the alerts are not those that were to be raised; no two were to begin at the same time. */
export function problemsOf(
  stored: readonly Pick<StoredAlarm, 'startedAtMs' | 'status'>[],
  raisedAtMs: readonly number[],
): string[] {
  const problems: string[] = []
  const expect = (what: string, actual: number, expected: number) => {
    if (actual !== expected) problems.push(`${what}: ${actual}, expected ${expected}`)
  }
  const found = new Set(stored.map(({ startedAtMs }) => startedAtMs))
  expect('alerts', stored.length, raisedAtMs.length)
  expect(
    'readings that raised an alert',
    raisedAtMs.filter((atMs) => found.has(atMs)).length,
    raisedAtMs.length,
  )
  expect('alerts resolved', stored.filter(({ status }) => status === 'resolved').length, stored.length)
  return problems
}

const NS_PER_MS = 1e6

function latencyFrom(valuesMs: readonly (number | null)[]): Latency | undefined {
  const histogram = createHistogram()
  for (const ms of valuesMs) {
    if (ms === null) return undefined
    histogram.record(Math.max(1, Math.round(ms * NS_PER_MS)))
  }
  return { latencyMs: latencyOf(histogram), latencyPercentiles: percentilesOf(histogram) }
}
