import type { BenchContext, LoadShape } from '../context.ts'
import type { BenchDatabase } from '../database/server.ts'
import { latencyOf, percentilesOf } from '../generator/result.ts'
import { onCopy, prepareHistory } from '../measurements/history.ts'
import { openReader, type ReadsByKind } from '../measurements/reads.ts'
import { runService, runServiceOn, type ServiceRun, spooledReadings } from '../measurements/service.ts'
import type { FigureSet } from '../report/figures.ts'
import { addCores } from './cores.ts'
import { halfOf } from './latency.ts'
import { addLatency } from './latency-figures.ts'
import { inRounds } from './rounds.ts'
import { GATHERED } from './shapes.ts'
import type { Workload } from './workload.ts'

/** How long an operator waits for a page, with --rows stored: when nothing comes in, and beside half of the ceiling. */
export const reads: Workload = {
  name: 'reads',
  description: "one device's and one unit's last 24 hours, with --rows stored: idle, and beside half load",
  run: (context) => measureReads(context, GATHERED),
}

export async function measureReads(context: BenchContext, shape: LoadShape) {
  const history = await prepareHistory(context, { shape, rows: context.rows })
  const shapes = await inRounds(context, [shape], (_, __, figures) =>
    measureRound(context, { shape, history }, figures),
  )
  await history.drop()
  return { workload: 'reads', shapes }
}

interface ReadRun extends ServiceRun {
  idle: ReadsByKind
  loaded: ReadsByKind
}

async function measureRound(
  context: BenchContext,
  { shape, history }: { shape: LoadShape; history: BenchDatabase },
  figures: FigureSet,
): Promise<string[]> {
  context.progress('  the ceiling, closed loop')
  const ceiling = await runService(context, shape)
  if (ceiling.problems.length > 0) return ceiling.problems
  const rate = halfOf(ceiling.load)
  context.progress(`  reads when nothing comes in, and beside ${rate} messages/s`)
  const run = await onCopy(context, history, (database) => readBeside(context, database, { shape, rate }))
  const problems = [
    ...run.problems,
    ...emptyReads('idle', run.idle),
    ...emptyReads('beside half load', run.loaded),
  ]
  if (problems.length === 0) addFigures(figures, run)
  return problems
}

async function readBeside(
  context: BenchContext,
  database: Parameters<typeof runServiceOn>[1],
  { shape, rate }: { shape: LoadShape; rate: number },
): Promise<ReadRun> {
  const reader = await openReader(database.url)
  const over = new AbortController()
  let idle: ReadsByKind | undefined
  let loaded: Promise<ReadsByKind> | undefined
  try {
    const run = await runServiceOn(context, database, {
      shape,
      variation: { rate, startAtMs: Date.now() },
      beforeLoad: async () => {
        idle = await reader.readUntil(AbortSignal.timeout(context.seconds * 1_000))
      },
      onPhase: (phase) => {
        if (phase === 'measuring') loaded = reader.readUntil(over.signal)
        else over.abort()
      },
    })
    if (!idle || !loaded) throw new Error('The load has ended without a word about its phases.')
    return { ...run, idle, loaded: await loaded }
  } finally {
    over.abort()
    // Its error, if it has one, is thrown above or is not the first.
    await loaded?.catch(() => undefined)
    await reader.close()
  }
}

function emptyReads(when: string, reads: ReadsByKind): string[] {
  return Object.entries(reads).flatMap(([kind, { empty }]) =>
    empty === 0
      ? []
      : [`${when}: ${empty} reads of a ${kind} found nothing, expected readings of the last 24 hours`],
  )
}

function addFigures(figures: FigureSet, run: ReadRun): void {
  for (const [when, byKind] of Object.entries({ idle: run.idle, 'beside half load': run.loaded })) {
    for (const [kind, { latencyNs, readings }] of Object.entries(byKind)) {
      const name = `${when}: one ${kind}`
      const { p50, p99 } = latencyOf(latencyNs)
      figures.add(`${name}, p50`, 'ms', p50)
      figures.add(`${name}, p99`, 'ms', p99)
      figures.add(`${name}, readings found`, 'rows', readings / latencyNs.count)
      figures.addHistogram({ plot: 'Reads', name, unit: 'ms', percentiles: percentilesOf(latencyNs) })
    }
  }
  figures.add('half load', 'readings/s', run.load.measured.readingsPerSecond)
  addLatency(figures, 'half load', { percentiles: ['p50', 'p99'], measured: run.load.measured })
  figures.add('half load: through the spool', 'rows', spooledReadings(run))
  addCores(figures, 'half load', run.usage)
}
