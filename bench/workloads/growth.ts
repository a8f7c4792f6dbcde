import type { BenchContext, LoadShape } from '../context.ts'
import type { BenchDatabase } from '../database/server.ts'
import { onCopy, prepareHistory } from '../measurements/history.ts'
import { runServiceOn, type ServiceRun, spooledReadings } from '../measurements/service.ts'
import type { FigureSet, Target } from '../report/figures.ts'
import { addCores } from './cores.ts'
import { inRounds } from './rounds.ts'
import { GATHERED } from './shapes.ts'
import type { Workload } from './workload.ts'

const BYTES_PER_MB = 1e6
const SHARE: Target = { atLeast: 0.9 }

/** What a fleet that grows, and the years, cost: shares of the same load on an empty database, of the same round. */
export const growth: Workload = {
  name: 'growth',
  description: 'with --devices, and with --rows stored, as shares of 1,000 devices and nothing stored',
  run: (context) => measureGrowth(context, GATHERED),
}

/** One end of what is compared: its database is made once, and copied for each measurement. */
interface Stage {
  name: string
  shape: LoadShape
  rows: number
  database: BenchDatabase
}

export async function measureGrowth(context: BenchContext, small: LoadShape) {
  const large = { ...small, devices: context.devices }
  const stages = [
    await openStage(context, { shape: small, rows: 0 }),
    await openStage(context, { shape: small, rows: context.rows }),
    await openStage(context, { shape: large, rows: 0 }),
  ]
  let round = 0
  const shapes = await inRounds(context, [small], async (_, __, figures) => {
    round += 1
    // There and back: a machine that gets slower must not make a difference.
    const turn = round % 2 === 1 ? stages : stages.toReversed()
    return measureRound(context, turn, figures)
  })
  for (const { database } of stages) await database.drop()
  return { workload: 'growth', shapes }
}

async function openStage(
  context: BenchContext,
  { shape, rows }: { shape: LoadShape; rows: number },
): Promise<Stage> {
  const words = (count: number) => count.toLocaleString('en-US')
  const name = `${words(shape.devices)} devices, ${words(rows)} rows`
  return { name, shape, rows, database: await prepareHistory(context, { shape, rows }) }
}

async function measureRound(
  context: BenchContext,
  stages: readonly Stage[],
  figures: FigureSet,
): Promise<string[]> {
  const runs = new Map<Stage, ServiceRun>()
  for (const stage of stages) {
    context.progress(`  ${stage.name}`)
    const load = { shape: stage.shape, variation: { startAtMs: Date.now() } }
    const run = await onCopy(context, stage.database, (database) => runServiceOn(context, database, load))
    if (run.problems.length > 0) return run.problems.map((problem) => `${stage.name}: ${problem}`)
    runs.set(stage, run)
  }
  addFigures(figures, runs)
  return []
}

function addFigures(figures: FigureSet, runs: ReadonlyMap<Stage, ServiceRun>): void {
  // The smallest first, whatever the turn was.
  const sorted = [...runs].toSorted(([a], [b]) => a.rows - b.rows || a.shape.devices - b.shape.devices)
  const smallest = sorted[0]?.[1]
  for (const [{ name }, run] of sorted) {
    const { readingsPerSecond } = run.load.measured
    figures.add(name, 'readings/s', readingsPerSecond)
    if (smallest === undefined || run === smallest) continue
    const share = readingsPerSecond / smallest.load.measured.readingsPerSecond
    figures.add(`${name}: share of the first`, 'share', share, SHARE)
  }
  for (const [{ name }, run] of sorted) {
    const { usage, metrics, books } = run
    figures.add(`${name}: memory of the service`, 'MB', inMb(usage.residentBytesMax))
    figures.add(`${name}: heap of the service`, 'MB', inMb(metrics.get('nodejs_heap_size_used_bytes')))
    figures.add(`${name}: rows a COPY`, 'rows', books.rows / books.batches)
    figures.add(`${name}: through the spool`, 'rows', spooledReadings(run))
  }
  for (const [{ name }, { usage }] of sorted) addCores(figures, name, usage)
  addMemoryPlot(figures, sorted)
}

function addMemoryPlot(figures: FigureSet, runs: readonly (readonly [Stage, ServiceRun])[]): void {
  const points = (of: (stage: Stage) => number, isOnLine: (stage: Stage) => boolean) =>
    runs.flatMap(([stage, { usage }]): [number, number][] => {
      const megabytes = inMb(usage.residentBytesMax)
      return megabytes === undefined || !isOnLine(stage) ? [] : [[of(stage), megabytes]]
    })
  const smallest = runs[0]?.[0]
  figures.addSeries({
    ...{ plot: 'Memory of the service over rows stored', name: 'resident', unit: 'MB' },
    x: { name: 'rows stored', unit: 'rows' },
    points: points(
      ({ rows }) => rows,
      ({ shape }) => shape.devices === smallest?.shape.devices,
    ),
  })
  figures.addSeries({
    ...{ plot: 'Memory of the service over devices', name: 'resident', unit: 'MB' },
    x: { name: 'devices', unit: 'devices' },
    points: points(
      ({ shape }) => shape.devices,
      ({ rows }) => rows === smallest?.rows,
    ),
  })
}

function inMb(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : bytes / BYTES_PER_MB
}
