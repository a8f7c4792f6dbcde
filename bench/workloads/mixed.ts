import type { BenchContext, LoadShape } from '../context.ts'
import type { Mix } from '../generator/mix.ts'
import { runService, type ServiceRun } from '../measurements/service.ts'
import type { FigureSet } from '../report/figures.ts'
import { addCores } from './cores.ts'
import { addLatency } from './latency-figures.ts'
import { inRounds } from './rounds.ts'
import { SHAPES } from './shapes.ts'
import type { Workload } from './workload.ts'

/** 5 % of the messages are sent again: byte for byte, every other one with DUP. */
const RESENDS: Mix = { resendEvery: 20 }
/** Beside these, 1 % have a fault and 2 % are of doors. */
export const MIXED: Mix = { ...RESENDS, faultEvery: 100, doorsEvery: 50 }

/** What traffic that is not clean costs: shares of the clean run of the same round. */
export const mixed: Workload = {
  name: 'mixed',
  description: 'readings, doors, 1 % faults and 5 % resends, as shares of a clean run',
  run: (context) => measureMixed(context, SHAPES),
}

export async function measureMixed(context: BenchContext, shapes: readonly LoadShape[]) {
  return { workload: 'mixed', shapes: await inRounds(context, shapes, measureRound) }
}

async function measureRound(context: BenchContext, shape: LoadShape, figures: FigureSet): Promise<string[]> {
  context.progress('  clean')
  const clean = await runService(context, shape)
  if (clean.problems.length > 0) return clean.problems
  context.progress('  5 % resends')
  const resends = await runService(context, shape, { mix: RESENDS })
  if (resends.problems.length > 0) return resends.problems
  context.progress('  mixed')
  const all = await runService(context, shape, { mix: MIXED })
  if (all.problems.length === 0) addFigures(figures, { clean, resends, all })
  return all.problems
}

function addFigures(
  figures: FigureSet,
  { clean, resends, all }: Record<'clean' | 'resends' | 'all', ServiceRun>,
): void {
  const rate = ({ load }: ServiceRun) => load.measured.readingsPerSecond
  figures.add('clean', 'readings/s', rate(clean))
  figures.add('with 5 % resends', 'readings/s', rate(resends))
  figures.add('mixed', 'readings/s', rate(all))
  figures.add('share of the clean run, with 5 % resends', 'share', rate(resends) / rate(clean))
  figures.add('share of the clean run, mixed', 'share', rate(all) / rate(clean))
  const { readings, readingsDuplicate, doors, doorsDuplicate, rejected } = all.load.expected
  figures.add('mixed: readings stored', 'rows', readings)
  figures.add('mixed: readings stored already', 'rows', readingsDuplicate)
  figures.add('mixed: door events stored', 'rows', doors)
  figures.add('mixed: door events stored already', 'rows', doorsDuplicate)
  for (const [reason, items] of Object.entries(rejected)) {
    figures.add(`mixed: rejected as ${reason}`, 'rows', items)
  }
  for (const [name, run] of Object.entries({ clean, 'with 5 % resends': resends, mixed: all })) {
    addLatency(figures, name, { percentiles: ['p50', 'p99'], measured: run.load.measured })
    addCores(figures, name, run.usage)
  }
}
