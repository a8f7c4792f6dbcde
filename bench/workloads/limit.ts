import type { BenchContext, LoadShape } from '../context.ts'
import { measureBareAedes, measureNullSink } from '../measurements/baselines.ts'
import type { LoadMeasurement } from '../measurements/mqtt-load.ts'
import { encodePlannedRows, measureRawCopy } from '../measurements/raw-copy.ts'
import type { FigureSet } from '../report/figures.ts'
import { addCores } from './cores.ts'
import { inRounds } from './rounds.ts'
import { SHAPES } from './shapes.ts'
import type { Workload } from './workload.ts'

/** What the parts that we stand on can do here without us: the measures of `throughput`. */
export const limit: Workload = {
  name: 'limit',
  description: 'what this machine, PostgreSQL, Aedes and the generator can do without FrostGuard',
  run: async (context) => ({ workload: 'limit', shapes: await inRounds(context, SHAPES, measureRound) }),
}

async function measureRound(context: BenchContext, shape: LoadShape, figures: FigureSet): Promise<string[]> {
  context.progress('  raw COPY')
  const raw = await measureRawCopy(context, (pool) => encodePlannedRows(context, shape, pool))
  figures.add('raw COPY', 'readings/s', raw.readingsPerSecond)
  figures.add('raw COPY: a stored reading, partition open', 'bytes', raw.books.bytes / raw.books.rows)
  addCores(figures, 'raw COPY', raw.usage)
  context.progress('  bare Aedes')
  addLoad(figures, 'bare Aedes', await measureBareAedes(context, shape))
  context.progress('  null sink')
  addLoad(figures, 'null sink', await measureNullSink(context, shape))
  return []
}

function addLoad(figures: FigureSet, name: string, { load, usage }: LoadMeasurement): void {
  figures.add(name, 'readings/s', load.measured.readingsPerSecond)
  figures.add(`${name}: messages`, 'messages/s', load.measured.messagesPerSecond)
  addCores(figures, name, usage)
}
