import type { BenchContext, LoadShape } from '../context.ts'
import { type BackfillMeasurement, type LiveLoad, measureBackfill } from '../measurements/backfill.ts'
import type { FigureSet } from '../report/figures.ts'
import { addCores } from './cores.ts'
import { inRounds } from './rounds.ts'
import type { Workload } from './workload.ts'

const BYTES_PER_MB = 1e6

const BACKLOG: LoadShape = {
  name: '20 hubs drain old readings, 50 live hubs',
  connections: 20,
  readingsPerMessage: 50,
  devices: 1_000,
  inFlightMax: 64,
}
/** 500 messages and 2,500 readings a second: far from what takes all of a machine. */
const LIVE: LiveLoad = { hubs: 50, readingsPerMessage: 5, intervalMs: 100 }

/** What hubs that are up to date see of others that drain days of old readings. */
export const backfill: Workload = {
  name: 'backfill',
  description: 'latency of live hubs, alone and while others drain old readings',
  run: (context) => runBackfill(context, { live: LIVE, backlog: BACKLOG }),
}

export async function runBackfill(context: BenchContext, loads: { live: LiveLoad; backlog: LoadShape }) {
  const rows = context.backlogRows
  const shapes = await inRounds(context, [loads.backlog], async (_, shape, figures) => {
    const measured = await measureBackfill(context, { live: loads.live, backlog: { ...shape, rows } })
    if (measured.problems.length === 0) addFigures(figures, measured)
    return measured.problems
  })
  return { workload: 'backfill', shapes }
}

function addFigures(figures: FigureSet, { alone, beside, backlog, books, usage }: BackfillMeasurement): void {
  for (const percentile of ['p50', 'p99'] as const) {
    const before = alone.measured.latencyMs[percentile]
    const during = beside.measured.latencyMs[percentile]
    figures.add(`live: publish to PUBACK alone, ${percentile}`, 'ms', before)
    figures.add(`live: beside the backlog, ${percentile}`, 'ms', during)
    figures.add(`live: beside, of alone, ${percentile}`, 'share', during / before)
  }
  figures.add('live: beside the backlog, highest', 'ms', beside.measured.latencyMs.max)
  figures.add('backlog', 'readings/s', backlog.measured.readingsPerSecond)
  figures.add('backlog: publish to PUBACK, p50', 'ms', backlog.measured.latencyMs.p50)
  figures.add('rows a COPY', 'rows', books.rows / books.batches)
  const bytes = usage.residentBytesMax
  figures.add('memory of the service', 'MB', bytes && bytes / BYTES_PER_MB)
  addCores(figures, 'backfill', usage)
}
