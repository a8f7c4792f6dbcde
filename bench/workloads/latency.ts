import type { BenchContext, LoadShape } from '../context.ts'
import type { LoadResult } from '../generator/result.ts'
import { type AlarmRun, runServiceWithAlarms } from '../measurements/alarms.ts'
import { addEvaluation } from '../measurements/evaluation.ts'
import { runService, type ServiceRun, spooledReadings } from '../measurements/service.ts'
import type { FigureSet, Target } from '../report/figures.ts'
import { addCores } from './cores.ts'
import { addLatency, PERCENTILES } from './latency-figures.ts'
import { inRounds } from './rounds.ts'
import { SHAPES } from './shapes.ts'
import type { Workload } from './workload.ts'

const HALF_LOAD_P99: Target = { atMost: 50 }
const ALERT_P99: Target = { atMost: 100 }
const IDLE_P50: Target = { atMost: 5 }
/** Below it the percentiles are those of a server that cannot follow. */
const OF_WHAT_WAS_DUE: Target = { atLeast: 0.99 }

/** So few that each has its answer long before the next one. */
const IDLE_MESSAGES_PER_SECOND = 50

/** What a hub feels, from the moment when a message was to be sent to its PUBACK; and how long it takes until there is an alert. */
export const latency: Workload = {
  name: 'latency',
  description:
    'publish to PUBACK, and commit to alert, at half of the ceiling, open loop; publish to PUBACK of one hub alone',
  run: (context) => measureLatency(context, SHAPES),
}

export async function measureLatency(context: BenchContext, shapes: readonly LoadShape[]) {
  return { workload: 'latency', shapes: await inRounds(context, shapes, measureRound) }
}

async function measureRound(context: BenchContext, shape: LoadShape, figures: FigureSet): Promise<string[]> {
  context.progress('  the ceiling, closed loop')
  const ceiling = await runService(context, shape)
  if (ceiling.problems.length > 0) return ceiling.problems
  const rate = halfOf(ceiling.load)
  context.progress(`  half of it: ${rate} messages/s, open loop`)
  const half = await runServiceWithAlarms(context, shape, { rate })
  if (half.problems.length > 0) return half.problems
  context.progress('  one hub')
  const idle = await runService(context, oneHub(shape), { rate: IDLE_MESSAGES_PER_SECOND })
  if (idle.problems.length === 0) addFigures(figures, { ceiling, half, idle })
  return idle.problems
}

/** Messages a second: half of what was acknowledged when nothing held the generator back. */
export function halfOf({ measured }: LoadResult): number {
  return Math.max(Math.round(measured.messagesPerSecond / 2), 1)
}

function oneHub(shape: LoadShape): LoadShape {
  return { ...shape, connections: 1, devices: shape.readingsPerMessage }
}

function addFigures(
  figures: FigureSet,
  { ceiling, half, idle }: { ceiling: ServiceRun; half: AlarmRun; idle: ServiceRun },
): void {
  figures.add('ceiling', 'readings/s', ceiling.load.measured.readingsPerSecond)
  figures.add('half load', 'readings/s', half.load.measured.readingsPerSecond)
  const due = halfOf(ceiling.load)
  const kept = half.load.measured.messagesPerSecond / due
  figures.add('half load: acknowledged, of what was due', 'share', kept, OF_WHAT_WAS_DUE)
  addLatency(figures, 'half load', {
    percentiles: PERCENTILES,
    measured: half.load.measured,
    targets: { p99: HALF_LOAD_P99 },
  })
  addAlertLatency(figures, half)
  addLatency(figures, 'one hub', {
    percentiles: PERCENTILES,
    measured: idle.load.measured,
    targets: { p50: IDLE_P50 },
  })
  figures.add('half load: rows a COPY', 'rows', half.books.rows / half.books.batches)
  figures.add('half load: through the spool', 'rows', spooledReadings(half))
  addCores(figures, 'half load', half.usage)
}

function addAlertLatency(figures: FigureSet, { fromCommit, fromSend, alerts, evaluation }: AlarmRun): void {
  const name = 'half load'
  figures.add(`${name}: alerts raised`, 'rows', alerts)
  const targets = { p99: ALERT_P99 }
  if (fromCommit) {
    addLatency(figures, name, {
      span: 'commit to alert',
      percentiles: PERCENTILES,
      measured: fromCommit,
      targets,
    })
  }
  if (fromSend) {
    addLatency(figures, name, { span: 'publish to alert', percentiles: PERCENTILES, measured: fromSend })
  }
  addEvaluation(figures, name, evaluation)
}
