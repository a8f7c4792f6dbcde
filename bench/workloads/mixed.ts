import type { BenchContext, LoadShape } from '../context.ts'
import type { Mix } from '../generator/mix.ts'
import { runService, type ServiceRun, spooledReadings } from '../measurements/service.ts'
import type { FigureSet } from '../report/figures.ts'
import { addCores } from './cores.ts'
import { addLatency } from './latency-figures.ts'
import { inRounds, type Round } from './rounds.ts'
import { SHAPES } from './shapes.ts'
import type { Workload } from './workload.ts'

/**
 * 5 % of the messages are sent again: byte for byte, when they are stored already, every other one with DUP. In the
 * mixed run 1 % have a fault (FAULTS in bench/generator/mix.ts) and 2 % are of doors as well.
 */
const MIX: Required<Mix> = { resendEvery: 20, faultEvery: 100, doorsEvery: 50 }

/** What traffic that is not clean costs: shares of the clean run of the same round. */
export const mixed: Workload = {
  name: 'mixed',
  description: 'readings, doors, 1 % faults and 5 % resends, as shares of a clean run',
  run: (context) => measureMixed(context, SHAPES),
}

export async function measureMixed(context: BenchContext, shapes: readonly LoadShape[], mix: Mix = MIX) {
  const measure: Round<LoadShape> = (_, shape, figures) => measureRound(context, { shape, mix }, figures)
  return { workload: 'mixed', shapes: await inRounds(context, shapes, measure) }
}

async function measureRound(
  context: BenchContext,
  { shape, mix }: { shape: LoadShape; mix: Mix },
  figures: FigureSet,
): Promise<string[]> {
  context.progress('  clean')
  const clean = await runService(context, shape)
  if (clean.problems.length > 0) return clean.problems
  context.progress('  with resends')
  const resends = await runService(context, shape, { mix: { resendEvery: mix.resendEvery } })
  if (resends.problems.length > 0) return resends.problems
  context.progress('  mixed')
  const all = await runService(context, shape, { mix })
  if (all.problems.length === 0) addFigures(figures, mix, { clean, resends, all })
  return all.problems
}

function addFigures(
  figures: FigureSet,
  { resendEvery = Number.POSITIVE_INFINITY }: Mix,
  { clean, resends, all }: Record<'clean' | 'resends' | 'all', ServiceRun>,
): void {
  const withResends = `with ${Math.round(100 / resendEvery)} % resends`
  const rate = ({ load }: ServiceRun) => load.measured.readingsPerSecond
  figures.add('clean', 'readings/s', rate(clean))
  figures.add(withResends, 'readings/s', rate(resends))
  figures.add('mixed', 'readings/s', rate(all))
  figures.add(`share of the clean run, ${withResends}`, 'share', rate(resends) / rate(clean))
  figures.add('share of the clean run, mixed', 'share', rate(all) / rate(clean))
  const { readings, readingsDuplicate, doors, doorsDuplicate, rejected } = all.load.expected
  figures.add('mixed: readings stored', 'rows', readings)
  figures.add('mixed: readings stored already', 'rows', readingsDuplicate)
  figures.add('mixed: door events stored', 'rows', doors)
  figures.add('mixed: door events stored already', 'rows', doorsDuplicate)
  for (const [reason, items] of Object.entries(rejected)) {
    figures.add(`mixed: rejected as ${reason}`, 'rows', items)
  }
  for (const [name, run] of Object.entries({ clean, [withResends]: resends, mixed: all })) {
    addLatency(figures, name, { percentiles: ['p50', 'p99'], measured: run.load.measured })
    figures.add(`${name}: through the spool`, 'rows', spooledReadings(run))
    addCores(figures, name, run.usage)
  }
}
