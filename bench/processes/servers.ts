import { makeTestFolder, removeTestFolder } from '../../db/testing/test-folder.ts'
import { HEAP_FLAGS } from '../../service/heap-flags.ts'
import { type Child, startChild } from './child.ts'

/** An MQTT server in a process of its own. */
export interface MqttServer {
  port: number
  child: Child
}

export interface ServiceServer extends MqttServer {
  /** Its page of metrics. */
  metricsUrl: string
}

/**
 * `npm start` with these settings and otherwise its defaults, on free ports and with a data folder of its own. It is
 * ended with the resources.
 */
export async function startService(
  settings: Record<string, string>,
  resources: AsyncDisposableStack,
): Promise<ServiceServer> {
  // Its spool is there, which only one process may have open.
  const dataDir = await makeTestFolder()
  resources.defer(() => removeTestFolder(dataDir))
  const env = { DATA_DIR: dataDir, MQTT_PORT: '0', MQTT_TLS_PORT: '0', HTTP_PORT: '0', ...settings }
  const child = startChild({ script: 'main.ts', nodeFlags: HEAP_FLAGS, env }, resources)
  const stdout = await child.ready((text) => text.includes('FrostGuard is ready'))
  const address = (name: string) => {
    const found = new RegExp(`^${name}: +(\\S+)$`, 'm').exec(stdout)?.[1]
    if (found === undefined) throw new Error(`The service has not printed its address (${name}):\n${stdout}`)
    return new URL(found)
  }
  const metricsUrl = new URL('/metrics', address('Status page')).href
  return { port: Number(address('MQTT').port), child, metricsUrl }
}

/** The server that acknowledges and does nothing else. */
export function startNullSink(resources: AsyncDisposableStack): Promise<MqttServer> {
  return startAnnounced('bench/null-sink/main.ts', resources)
}

/** Aedes with nothing behind it. */
export function startBareAedes(resources: AsyncDisposableStack): Promise<MqttServer> {
  return startAnnounced('bench/bare-aedes/main.ts', resources)
}

async function startAnnounced(script: string, resources: AsyncDisposableStack): Promise<MqttServer> {
  const child = startChild({ script }, resources)
  const stdout = await child.ready((text) => text.endsWith('\n'))
  return { port: Number(JSON.parse(stdout).port), child }
}
