import { setTimeout as sleep } from 'node:timers/promises'
import mqtt, { type MqttClient, UniqueMessageIdProvider } from 'mqtt'
import type { Link, LinkEvents, LinkFailure, OpenLink } from './link.ts'

const CONNECT_TIMEOUT_MS = 15_000
const KEEPALIVE_SECONDS = 60
const CLOSE_TIMEOUT_MS = 2_000
/** CONNACK return codes "bad user name or password" and "not authorized", MQTT 3.1.1 section 3.2.2.3. */
const REFUSALS: readonly unknown[] = [4, 5]

/** Links to a broker, given as mqtt:// (or mqtts://, ws://, wss://) with host and port. */
export function mqttLinks(url: string): OpenLink {
  return ({ username, password, will }, events) => {
    const client = mqtt.connect(url, {
      username,
      password,
      clientId: username,
      protocolVersion: 4,
      clean: true,
      keepalive: KEEPALIVE_SECONDS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      // A client is one connection: what it has not acknowledged is the hub's to send again, in its order.
      reconnectPeriod: 0,
      // The default one gives out ids that are still in use, after 65,535 messages.
      messageIdProvider: new UniqueMessageIdProvider(),
      ...(will
        ? { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: false } }
        : {}),
    })
    return linkOf(client, events)
  }
}

/** Modes: alive until the stream closes or we close it; after that no event reaches the hub. */
function linkOf(client: MqttClient, events: LinkEvents): Link {
  let isAlive = true
  let failure: LinkFailure = { kind: 'lost', reason: 'the connection was closed' }
  const lost = () => {
    if (!isAlive) return
    isAlive = false
    events.lost(failure)
  }
  client.on('connect', () => {
    if (isAlive) events.opened()
  })
  client.on('message', (topic, payload) => {
    if (isAlive) events.received(topic, payload)
  })
  client.on('error', (error) => {
    failure = failureOf(error)
  })
  client.on('close', () => {
    client.end(true)
    lost()
  })
  return {
    publish: (topic, payload, acknowledged) => {
      client.publish(topic, payload, { qos: 1 }, (error) => {
        if (!error && isAlive) acknowledged()
      })
    },
    // A refusal shows in what is never received; it must not end the process.
    subscribe: (topics) => void client.subscribe([...topics], { qos: 1 }, () => {}),
    cut: (isWritten) => {
      // MQTT.js hands its packets to the socket in the next tick.
      if (isWritten) setImmediate(() => client.end(true))
      else client.end(true)
      lost()
    },
    close: async () => {
      isAlive = false
      await Promise.race([
        client.endAsync().catch(() => {}),
        sleep(CLOSE_TIMEOUT_MS, undefined, { ref: false }),
      ])
      client.end(true)
    },
  }
}

function failureOf(error: Error): LinkFailure {
  const code = 'code' in error ? error.code : undefined
  return { kind: REFUSALS.includes(code) ? 'refused' : 'lost', reason: error.message || String(code) }
}
