import type { BenchContext, LoadShape } from '../context.ts'
import { measureBareAedes } from '../measurements/baselines.ts'
import { addEvaluation } from '../measurements/evaluation.ts'
import type { LoadMeasurement } from '../measurements/mqtt-load.ts'
import { measureRawCopy, type RawMeasurement } from '../measurements/raw-copy.ts'
import {
  measureService,
  runService,
  type ServiceMeasurement,
  type ServiceRun,
  spooledReadings,
} from '../measurements/service.ts'
import type { FigureSet, Target } from '../report/figures.ts'
import { addCores, addCpuPerMillion } from './cores.ts'
import { addServicePlots, addThroughputLevel } from './plots.ts'
import { inRounds } from './rounds.ts'
import { SHAPES } from './shapes.ts'
import type { Workload } from './workload.ts'

const BYTES_PER_MB = 1e6

/** The targets of the design, by what a message holds. */
const MANY_A_MESSAGE: Record<string, Target> = { shareOfRaw: { atLeast: 0.85 } }
const ONE_A_MESSAGE: Record<string, Target> = {
  readings: { atLeast: 100_000 },
  shareOfAedes: { atLeast: 0.4 },
}
const STORED_BYTES: Target = { atMost: 125 }
const RESIDENT_MB: Target = { atMost: 400 }

/** Readings acknowledged and committed a second, beside what raw COPY and bare Aedes make in the same minute. */
export const throughput: Workload = {
  name: 'throughput',
  description: 'readings/s acknowledged and committed, as shares of raw COPY and of bare Aedes',
  run: (context) => measureThroughput(context, SHAPES),
}

export async function measureThroughput(context: BenchContext, shapes: readonly LoadShape[]) {
  return { workload: 'throughput', shapes: await inRounds(context, shapes, measureRound) }
}

async function measureRound(context: BenchContext, shape: LoadShape, figures: FigureSet): Promise<string[]> {
  context.progress('  FrostGuard')
  const ours = await measureService(context, shape)
  if (ours.problems.length > 0) return ours.problems
  context.progress('  FrostGuard without its evaluator')
  const serviceSettings = { ...context.serviceSettings, EVALUATOR: 'off' }
  const blind = await runService({ ...context, serviceSettings }, shape)
  if (blind.problems.length > 0) return blind.problems
  context.progress('  raw COPY of the same rows')
  const raw = await measureRawCopy(context, async () => ours.storedRows)
  context.progress('  bare Aedes')
  const aedes = await measureBareAedes(context, shape)
  addFigures(figures, shape, { raw, ours, aedes })
  addEvaluator(figures, ours, blind)
  addPlots(figures, shape, { raw, ours, aedes })
  return []
}

interface Measured {
  raw: RawMeasurement
  ours: ServiceMeasurement
  aedes: LoadMeasurement
}

function addFigures(
  figures: FigureSet,
  { readingsPerMessage }: LoadShape,
  { raw, ours, aedes }: Measured,
): void {
  const { measured } = ours.load
  const { books, usage } = ours
  const rate = measured.readingsPerSecond
  const targets = readingsPerMessage > 1 ? MANY_A_MESSAGE : ONE_A_MESSAGE
  figures.add('acknowledged and committed', 'readings/s', rate, targets['readings'])
  figures.add('share of raw COPY', 'share', rate / raw.readingsPerSecond, targets['shareOfRaw'])
  figures.add(
    'share of bare Aedes',
    'share',
    rate / aedes.load.measured.readingsPerSecond,
    targets['shareOfAedes'],
  )
  figures.add('raw COPY', 'readings/s', raw.readingsPerSecond)
  figures.add('bare Aedes', 'readings/s', aedes.load.measured.readingsPerSecond)
  const { rows, bytes: openBytes } = books
  figures.add('a stored reading, partition open', 'bytes', openBytes / rows)
  figures.add('a stored reading, partition closed', 'bytes', ours.bytesWhenClosed / rows, STORED_BYTES)
  figures.add('raw COPY: a stored reading, partition open', 'bytes', raw.books.bytes / raw.books.rows)
  figures.add('rows a COPY', 'rows', books.rows / books.batches)
  figures.add('publish to PUBACK, p50', 'ms', measured.latencyMs.p50)
  figures.add('publish to PUBACK, p99', 'ms', measured.latencyMs.p99)
  const bytes = usage.residentBytesMax
  figures.add('memory of the service', 'MB', bytes && bytes / BYTES_PER_MB, RESIDENT_MB)
  figures.add('through the spool', 'rows', spooledReadings(ours))
  addCores(figures, 'FrostGuard', usage)
  addCpuPerMillion(figures, 'FrostGuard', { usage, readingsPerSecond: rate })
  addCores(figures, 'bare Aedes', aedes.usage)
  addCpuPerMillion(figures, 'bare Aedes', {
    usage: aedes.usage,
    readingsPerSecond: aedes.load.measured.readingsPerSecond,
  })
  addCpuPerMillion(figures, 'raw COPY', raw)
}

/** What the evaluator costs, and whether it keeps up. */
function addEvaluator(figures: FigureSet, ours: ServiceMeasurement, blind: ServiceRun): void {
  const name = 'without the evaluator'
  const readingsPerSecond = blind.load.measured.readingsPerSecond
  figures.add(name, 'readings/s', readingsPerSecond)
  figures.add(
    `share of FrostGuard ${name}`,
    'share',
    ours.load.measured.readingsPerSecond / readingsPerSecond,
  )
  addCpuPerMillion(figures, name, { usage: blind.usage, readingsPerSecond })
  addEvaluation(figures, 'FrostGuard', ours.evaluation)
}

function addPlots(figures: FigureSet, shape: LoadShape, { raw, ours, aedes }: Measured): void {
  addServicePlots(figures, shape, ours)
  const limits = [
    { name: 'raw COPY', readingsPerSecond: raw.readingsPerSecond },
    { name: 'bare Aedes', readingsPerSecond: aedes.load.measured.readingsPerSecond },
  ]
  // The nearer of the two is what holds it back; the other one would press its line to the ground.
  const nearer = limits.toSorted((a, b) => a.readingsPerSecond - b.readingsPerSecond)[0]
  if (nearer) addThroughputLevel(figures, { ...nearer, seconds: ours.load.measured.eachSecond.length })
}
