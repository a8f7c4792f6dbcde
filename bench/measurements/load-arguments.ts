import { TEST_SECRET } from '../../db/testing/fleet.ts'
import type { BenchContext, LoadShape } from '../context.ts'
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

/** The command line of the load generator for a closed loop of this shape. */
export function loadArguments(
  shape: LoadShape,
  context: Pick<BenchContext, 'seconds' | 'warmUpSeconds'>,
): string[] {
  const values = {
    count: shape.connections,
    interval: CONNECT_INTERVAL_MS,
    inflight: shape.inFlightMax,
    password: TEST_SECRET,
    prefix: FLEET.hubPrefix,
    'eui-prefix': FLEET.euiPrefix,
    'readings-per-message': shape.readingsPerMessage,
    devices: shape.devices,
    'start-at': Date.now(),
    'step-ms': STEP_MS,
    'warm-up': context.warmUpSeconds,
    seconds: context.seconds,
  }
  return ['--quiet', ...Object.entries(values).map(([name, value]) => `--${name}=${value}`)]
}

/** What that load publishes. */
export function loadPlan(shape: LoadShape): LoadPlan {
  const args = loadArguments(shape, { seconds: 1, warmUpSeconds: 0 })
  return loadOptionsOf(parseLoadCommand(args), Date.now()).plan
}
