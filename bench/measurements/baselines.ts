import type { BenchContext, LoadShape } from '../context.ts'
import { type MqttServer, startBareAedes, startNullSink } from '../processes/servers.ts'
import { type LoadMeasurement, measureLoad } from './mqtt-load.ts'

/** The generator against a server that does nothing: its own limit. */
export function measureNullSink(context: BenchContext, shape: LoadShape): Promise<LoadMeasurement> {
  return measureAgainst(context, { shape, start: startNullSink, side: 'null sink' })
}

/** The generator against Aedes with nothing behind it. */
export function measureBareAedes(context: BenchContext, shape: LoadShape): Promise<LoadMeasurement> {
  return measureAgainst(context, { shape, start: startBareAedes, side: 'aedes' })
}

async function measureAgainst(
  context: BenchContext,
  options: {
    shape: LoadShape
    start: (resources: AsyncDisposableStack) => Promise<MqttServer>
    side: string
  },
): Promise<LoadMeasurement> {
  const { shape, start, side } = options
  const server = await start(context.resources)
  try {
    const measured = await measureLoad(context, { shape, server, side })
    requireWhole(measured, side)
    return measured
  } finally {
    await server.child.end()
  }
}

function requireWhole({ load }: LoadMeasurement, side: string): void {
  const missing = load.messages - load.acknowledgedMessages
  if (missing === 0 && load.connectionsLost === 0) return
  throw new Error(
    `${side} did not acknowledge ${missing} of ${load.messages} messages, ${load.connectionsLost} connections were lost: ` +
      load.reasonsLost.join('; '),
  )
}
