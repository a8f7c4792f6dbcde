import type { BenchContext, LoadShape } from '../context.ts'
import type { LoadPhase } from '../generator/load.ts'
import type { LoadResult } from '../generator/result.ts'
import { resultOf, startGenerator } from '../processes/generator.ts'
import type { MqttServer } from '../processes/servers.ts'
import { cpuSecondsOf, cpuSecondsOfFamily } from '../processes/usage.ts'
import { type Sides, startUsage, type Usage } from '../processes/usage-meter.ts'
import { type LoadVariation, loadArguments } from './load-arguments.ts'

export interface LoadMeasurement {
  load: LoadResult
  /** Between warm-up and last send. */
  usage: Usage
}

export interface LoadMeasurementOptions {
  shape: LoadShape
  variation?: LoadVariation | undefined
  server: MqttServer
  /** What the server is called in the figures. */
  side: string
  withDatabase?: boolean
  onPhase?: ((phase: LoadPhase) => void) | undefined
}

/** Runs a load of a shape against a server, and measures what each side takes meanwhile. */
export async function measureLoad(
  context: BenchContext,
  options: LoadMeasurementOptions,
): Promise<LoadMeasurement> {
  const { server, shape } = options
  const watch = watchLoad(context, shape)
  let running: ReturnType<typeof startUsage> | undefined
  let usage: Usage | undefined
  const args = [`--port=${server.port}`, ...loadArguments(shape, context, options.variation)]
  const onPhase = (phase: LoadPhase) => {
    watch.phase(phase)
    if (phase === 'measuring') running = startUsage(sides, server.child.pid)
    else usage ??= running?.end()
    options.onPhase?.(phase)
  }
  const generator = startGenerator(args, {
    resources: context.resources,
    onPhase,
    onProgress: watch.acknowledged,
  })
  const sides: Sides = {
    generator: () => cpuSecondsOf(generator.pid),
    [options.side]: () => cpuSecondsOf(server.child.pid),
  }
  const { postmasterPid } = context.server
  if (options.withDatabase && postmasterPid !== undefined) {
    sides['postgres'] = () => cpuSecondsOfFamily(postmasterPid)
  }
  const load = await resultOf(generator)
  usage ??= running?.end()
  if (!usage) throw new Error('The load generator has ended without a word about its phases.')
  return { load, usage }
}

/** Tells whoever waits how fast it goes, from one word of the generator to the next. */
function watchLoad({ seconds, warmUpSeconds, onLoad }: BenchContext, { readingsPerMessage }: LoadShape) {
  let measuringAt: number | undefined
  let last = { at: performance.now(), messages: 0 }
  return {
    phase: (phase: LoadPhase) => {
      if (phase === 'measuring') measuringAt = performance.now()
    },
    acknowledged: (messages: number) => {
      const at = performance.now()
      const perSecond = ((messages - last.messages) * 1_000) / (at - last.at)
      last = { at, messages }
      const secondsLeft =
        measuringAt === undefined ? warmUpSeconds + seconds : seconds - (at - measuringAt) / 1_000
      onLoad?.({ readingsPerSecond: perSecond * readingsPerMessage, secondsLeft })
    },
  }
}
