import type { Pool } from 'pg'
import { createTestFleet, TEST_SECRET } from '../../db/testing/fleet.ts'
import type { BenchContext, LoadShape } from '../context.ts'
import { type Books, readBooks } from '../database/books.ts'
import { openPool } from '../database/pool.ts'
import type { LoadPhase } from '../generator/load.ts'
import type { LoadResult } from '../generator/result.ts'
import { complaintsOf } from '../processes/complaints.ts'
import { resultOf, startGenerator } from '../processes/generator.ts'
import type { Metrics } from '../processes/metrics.ts'
import { type MqttServer, type ServiceServer, startService } from '../processes/servers.ts'
import { cpuSecondsOf, cpuSecondsOfFamily } from '../processes/usage.ts'
import { type Sides, startUsage, type Usage } from '../processes/usage-meter.ts'
import { metricsWhenDrained, stillHeld } from './drained.ts'

/** Hubs that publish what they have just measured, in an open loop. */
export interface LiveLoad {
  hubs: number
  readingsPerMessage: number
  /** Between two messages of a hub. */
  intervalMs: number
}

/** Hubs that resend `rows` old readings as fast as they are acknowledged. */
export interface BacklogLoad extends LoadShape {
  rows: number
}

export interface BackfillMeasurement {
  /** The live hubs with nobody beside them. */
  alone: LoadResult
  /** The same hubs while the backlog drains. */
  beside: LoadResult
  backlog: LoadResult
  /** While the backlog drains. */
  usage: Usage
  books: Books
  /** Why it does not count; none when it does. */
  problems: string[]
}

/** Two organizations: so hub keys and devices of the two loads never meet. */
const LIVE = { slug: 'bench', hubPrefix: 'bench-hub-', euiPrefix: 'be' }
const BACKLOG = { slug: 'backlog', hubPrefix: 'backlog-hub-', euiPrefix: 'ba' }

/** What a sensor usually reports in. */
const BACKLOG_STEP_MS = 300_000
/** The newest of the old readings is so old. */
const BACKLOG_AGE_MS = 3_600_000
/** Until it is told to end. */
const UNTIL_ENDED_SECONDS = 86_400

/**
 * The live hubs alone, then the same with the backlog beside them, on one service and one database; afterwards the
 * database is compared with what was acknowledged.
 */
export async function measureBackfill(
  context: BenchContext,
  loads: { live: LiveLoad; backlog: BacklogLoad },
): Promise<BackfillMeasurement> {
  const database = await context.server.createDatabase()
  const pool = openPool(database.url)
  try {
    const { live, backlog } = loads
    const devices = live.hubs * live.readingsPerMessage
    await createTestFleet(pool, { ...LIVE, hubs: live.hubs, devices })
    await createTestFleet(pool, { ...BACKLOG, hubs: backlog.connections, devices: backlog.devices })
    const server = await startService(
      { ...context.serviceSettings, DATABASE_URL: database.url },
      context.resources,
    )
    const { metrics, ...measured } = await measureBoth(context, { ...loads, server })
    const ended = await server.child.ended
    const problems = [...stillHeld(metrics), ...(await problemsOf(measured, pool))]
    if (ended !== 0) problems.push(`the service ended with ${ended}`)
    if (problems.length > 0) problems.push(...complaintsOf(server.child.stderr).map(said))
    return { ...measured, books: await readBooks(pool), problems }
  } finally {
    await pool.end()
    await database.drop()
  }
}

type Loads = Pick<BackfillMeasurement, 'alone' | 'beside' | 'backlog'>

async function measureBoth(
  context: BenchContext,
  options: { live: LiveLoad; backlog: BacklogLoad; server: ServiceServer },
): Promise<Loads & { usage: Usage; metrics: Metrics }> {
  const { server, live } = options
  const { resources } = context
  try {
    context.progress('  live hubs alone')
    const generator = startGenerator(liveArguments(live, server, context), { resources, onPhase: () => {} })
    const alone = await resultOf(generator)
    context.progress('  live hubs beside the backlog')
    const both = { alone, ...(await measureBeside(context, options)) }
    return { ...both, metrics: await metricsWhenDrained(server.metricsUrl) }
  } catch (error) {
    const lines = [String(error).trimEnd(), ...complaintsOf(server.child.stderr).map(said)]
    throw new Error(lines.join('\n'), { cause: error })
  } finally {
    await server.child.end()
  }
}

async function measureBeside(
  context: BenchContext,
  { live, backlog, server }: { live: LiveLoad; backlog: BacklogLoad; server: MqttServer },
): Promise<Omit<Loads, 'alone'> & { usage: Usage }> {
  const { resources, warmUpSeconds } = context
  const liveArgs = liveArguments(live, server, { seconds: UNTIL_ENDED_SECONDS, warmUpSeconds })
  const liveGenerator = startGenerator(liveArgs, { resources, onPhase: () => {} })
  let usage: Usage | undefined
  const onPhase = (phase: LoadPhase) => {
    if (phase !== 'draining') return
    usage = running.end()
    void liveGenerator.end()
  }
  const backlogGenerator = startGenerator(backlogArguments(backlog, server), { resources, onPhase })
  const pids = [liveGenerator.pid, backlogGenerator.pid]
  const running = startUsage(sidesOf(context, server, pids), server.child.pid)
  try {
    const [drained, beside] = await Promise.all([resultOf(backlogGenerator), resultOf(liveGenerator)])
    if (!usage) throw new Error('The load generator has ended without a word about its phases.')
    return { backlog: drained, beside, usage }
  } finally {
    running.end()
    await Promise.all([liveGenerator.end(), backlogGenerator.end()])
  }
}

function sidesOf(
  { server: { postmasterPid } }: BenchContext,
  server: MqttServer,
  generators: number[],
): Sides {
  const sides: Sides = {
    generators: () => generators.reduce((sum, pid) => sum + (cpuSecondsOf(pid) ?? 0), 0),
    service: () => cpuSecondsOf(server.child.pid),
  }
  if (postmasterPid !== undefined) sides['postgres'] = () => cpuSecondsOfFamily(postmasterPid)
  return sides
}

function liveArguments(
  { hubs, readingsPerMessage, intervalMs }: LiveLoad,
  server: MqttServer,
  { seconds, warmUpSeconds }: Pick<BenchContext, 'seconds' | 'warmUpSeconds'>,
): string[] {
  return generatorArguments(server, LIVE, {
    count: hubs,
    'readings-per-message': readingsPerMessage,
    interval_of_msg: intervalMs,
    'start-at': Date.now(),
    'step-ms': intervalMs,
    'warm-up': warmUpSeconds,
    seconds,
  })
}

function backlogArguments(backlog: BacklogLoad, server: MqttServer): string[] {
  const { connections, readingsPerMessage, devices, inFlightMax, rows } = backlog
  const spanMs = Math.ceil(rows / devices) * BACKLOG_STEP_MS
  return generatorArguments(server, BACKLOG, {
    count: connections,
    'readings-per-message': readingsPerMessage,
    devices,
    inflight: inFlightMax,
    limit: Math.ceil(rows / readingsPerMessage),
    'start-at': Date.now() - BACKLOG_AGE_MS - spanMs,
    'step-ms': BACKLOG_STEP_MS,
  })
}

function generatorArguments(
  { port }: MqttServer,
  { hubPrefix, euiPrefix }: typeof LIVE,
  values: Record<string, number>,
): string[] {
  const all = {
    port,
    interval: 1,
    password: TEST_SECRET,
    prefix: hubPrefix,
    'eui-prefix': euiPrefix,
    ...values,
  }
  return ['--quiet', ...Object.entries(all).map(([name, value]) => `--${name}=${value}`)]
}

const STORED = `
  SELECT o.slug, (SELECT count(*)::float8 FROM public.sensor_readings r WHERE r.organization_id = o.id) AS rows,
    (SELECT count(*)::float8 FROM pipeline.rejected_messages m WHERE m.organization_id = o.id) AS rejected
  FROM public.organizations o`

/** The differences between what was acknowledged and what is stored of each organization: a sentence each. */
async function problemsOf({ alone, beside, backlog }: Loads, pool: Pool): Promise<string[]> {
  const stored = await pool.query<{ slug: string; rows: number; rejected: number }>(STORED)
  const problems: string[] = []
  for (const [{ slug }, loads] of [[LIVE, [alone, beside]] as const, [BACKLOG, [backlog]] as const]) {
    const { rows = 0, rejected = 0 } = stored.rows.find((row) => row.slug === slug) ?? {}
    const expect = (what: string, actual: number, expected: number) => {
      if (actual !== expected) problems.push(`${slug}: ${what}: ${actual}, expected ${expected}`)
    }
    const sum = (of: (load: LoadResult) => number) => loads.reduce((total, load) => total + of(load), 0)
    const acknowledged = sum((load) => load.acknowledgedReadings)
    expect(
      'readings acknowledged, of those sent',
      acknowledged,
      sum((load) => load.readings),
    )
    expect('rows in sensor_readings, of the readings acknowledged', rows, acknowledged)
    expect('items rejected', rejected, 0)
    for (const { reasonsLost } of loads) problems.push(...reasonsLost.map((reason) => `${slug}: ${reason}`))
  }
  if (beside.measured.acknowledgedMessages === 0) {
    problems.push('the backlog was drained before a live hub was measured beside it: raise --backlog-rows')
  }
  return problems
}

function said(complaint: string): string {
  return `the service said: ${complaint}`
}
