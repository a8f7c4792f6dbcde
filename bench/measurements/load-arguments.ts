import { TEST_SECRET } from '../../db/testing/fleet.ts'
import type { BenchContext, LoadShape } from '../context.ts'
import type { Mix } from '../generator/mix.ts'
import { loadOptionsOf, parseLoadCommand } from '../generator/options.ts'
import type { LoadPlan } from '../generator/plan.ts'

/** The fleet that the loads of all workloads speak for. */
export const FLEET = { slug: 'bench', hubPrefix: 'bench-hub-', euiPrefix: 'be' }

/**
 * The readings begin now and run ahead of the clock, up to a day of which ingest takes: behind the clock they would be a
 * backlog, which does not get all lanes.
 */
const STEP_MS = 1_000
const CONNECT_INTERVAL_MS = 1

/** How a load differs from a closed loop of plain readings that begins now. */
export interface LoadVariation {
  /** Messages a second: open loop. */
  rate?: number
  mix?: Mix
  /** Time of the first reading of every device, epoch milliseconds. */
  startAtMs?: number
}

/** The command line of the load generator for this shape. */
export function loadArguments(
  shape: LoadShape,
  context: Pick<BenchContext, 'seconds' | 'warmUpSeconds'>,
  { rate, mix = {}, startAtMs = Date.now() }: LoadVariation = {},
): string[] {
  const values = {
    count: shape.connections,
    interval: CONNECT_INTERVAL_MS,
    inflight: rate === undefined ? shape.inFlightMax : undefined,
    rate,
    'fault-every': mix.faultEvery,
    'doors-every': mix.doorsEvery,
    'resend-every': mix.resendEvery,
    password: TEST_SECRET,
    prefix: FLEET.hubPrefix,
    'eui-prefix': FLEET.euiPrefix,
    'readings-per-message': shape.readingsPerMessage,
    devices: shape.devices,
    'start-at': startAtMs,
    'step-ms': STEP_MS,
    'warm-up': context.warmUpSeconds,
    seconds: context.seconds,
  }
  const given = Object.entries(values).filter(([, value]) => value !== undefined)
  return ['--quiet', ...given.map(([name, value]) => `--${name}=${value}`)]
}

/** What that load publishes. */
export function loadPlan(shape: LoadShape): LoadPlan {
  const args = loadArguments(shape, { seconds: 1, warmUpSeconds: 0 })
  return loadOptionsOf(parseLoadCommand(args), Date.now()).plan
}
