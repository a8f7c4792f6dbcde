import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  type DeviceState,
  isInOrder,
  type Judging,
  newDeviceState,
  step,
} from '../../evaluator/core/device.ts'
import type { ReadingInput } from '../../evaluator/core/types.ts'
import type { BenchContext } from '../context.ts'
import {
  ALERTS_A_PATTERN,
  checkIn,
  DEVICES,
  judgeFleet,
  PATTERN,
  RULE_SETS,
  type RuleSet,
} from '../measurements/judged-fleet.ts'
import type { FigureSet, Target } from '../report/figures.ts'
import { inRounds } from './rounds.ts'
import type { Workload } from './workload.ts'

const READINGS_PER_CORE: Target = { atLeast: 1_000_000 }
const MICROSECONDS_PER_SECOND = 1e6
/** The states of so many devices are written, to say how large one is. */
const STATES_WRITTEN = 100

/** What the decisions alone take: readings in order, judged by the rules of their units, in this process. */
export const evaluator: Workload = {
  name: 'evaluator',
  description:
    "readings/s that the evaluator's core judges per core: 10,000 devices, 3 rules each, no database",
  run: measureEvaluator,
}

export async function measureEvaluator(context: BenchContext) {
  return { workload: 'evaluator', shapes: await inRounds(context, RULE_SETS, measureRound) }
}

async function measureRound(context: BenchContext, rules: RuleSet, figures: FigureSet): Promise<string[]> {
  const fleet = judgeFleet(rules).map((judging) => ({ judging, state: newDeviceState() }))
  const warmUp = await judgeFor(fleet, { seconds: context.warmUpSeconds, from: 0 })
  const { checkIns, cpuSeconds, alerts } = await judgeFor(fleet, {
    seconds: context.seconds,
    from: warmUp.checkIns,
  })
  const expected = (checkIns / PATTERN) * ALERTS_A_PATTERN
  if (alerts !== expected)
    return [`${alerts} alerts were raised in ${checkIns} check-ins, expected ${expected}`]
  figures.add('judged, per core', 'readings/s', (checkIns * DEVICES) / cpuSeconds, READINGS_PER_CORE)
  figures.add('state of a device, as JSON', 'bytes', writtenBytes(fleet.slice(0, STATES_WRITTEN)))
  return []
}

/** Whole patterns, so that the alerts can be counted. The time that it takes to make the readings is left out. */
async function judgeFor(fleet: readonly Judged[], { seconds, from }: { seconds: number; from: number }) {
  let checkIns = 0
  let cpuSeconds = 0
  let alerts = 0
  while (cpuSeconds < seconds || checkIns % PATTERN !== 0) {
    const inputs = checkIn(from + checkIns)
    const before = process.cpuUsage()
    alerts += judgeAll(fleet, inputs)
    const { user, system } = process.cpuUsage(before)
    cpuSeconds += (user + system) / MICROSECONDS_PER_SECOND
    checkIns += 1
    // Ctrl-C must be heard.
    await nextTurn()
  }
  return { checkIns, cpuSeconds, alerts }
}

interface Judged {
  judging: Judging
  state: DeviceState
}

/** A reading of each. Returns how many alerts it raised. */
function judgeAll(fleet: readonly Judged[], inputs: readonly ReadingInput[]): number {
  let raised = 0
  for (const input of inputs) {
    const device = fleet[input.deviceId - 1]
    if (!device || !isInOrder(device.state, input)) continue
    for (const { triggeredAtMs } of step(device.state, input, device.judging)) {
      if (triggeredAtMs === input.atMs) raised += 1
    }
  }
  return raised
}

function writtenBytes(fleet: readonly Judged[]): number {
  const bytes = fleet.reduce((sum, { state }) => sum + Buffer.byteLength(JSON.stringify(state)), 0)
  return bytes / fleet.length
}
