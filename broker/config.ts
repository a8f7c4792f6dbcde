import { z } from 'zod'
import { integerSetting, portSetting, SettingsError } from '../settings.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** How much of an oversized message is kept for its reject, in bytes. */
export const OVERSIZED_KEPT_BYTES = 4 * KIB

/** The broker's settings in the environment; pass them to `parseSettings`. */
export const brokerSettings = {
  MQTT_HOST: z.string().default('127.0.0.1'),
  MQTT_PORT: portSetting().default(1883),
  MQTT_TLS_PORT: portSetting().default(8883),
  /** Paths of PEM files. TLS listens only with key and certificate; a CA asks every TLS client for a certificate. */
  MQTT_TLS_KEY: z.string().optional(),
  MQTT_TLS_CERT: z.string().optional(),
  MQTT_TLS_CA: z.string().optional(),
  /** WebSocket listens only when this is set. */
  MQTT_WS_PORT: portSetting().optional(),

  /** The largest CONNECT, its last will included. */
  MQTT_CONNECT_BYTES_MAX: integerSetting({ min: 1 * KIB, max: 16 * MIB, default: 16 * KIB, unit: 'bytes' }),
  /** The largest payload that is taken whole; also the largest packet of any other kind. */
  MQTT_MESSAGE_BYTES_MAX: integerSetting({
    min: OVERSIZED_KEPT_BYTES,
    max: 16 * MIB,
    default: 256 * KIB,
    unit: 'bytes',
  }),
  /** The largest payload that is read past and set aside as too large; above it the connection ends. */
  MQTT_FRAME_BYTES_MAX: integerSetting({
    min: OVERSIZED_KEPT_BYTES,
    max: 200 * MIB,
    default: 4 * MIB,
    unit: 'bytes',
  }),
  /** From the accepted socket to its CONNECT, and again from CONNECT to the answer. */
  MQTT_CONNECT_TIMEOUT_MS: integerSetting({ min: 100, max: 120_000, default: 10_000, unit: 'milliseconds' }),
  /** A client whose socket takes nothing for so long is dropped. */
  MQTT_DRAIN_TIMEOUT_MS: integerSetting({ min: 100, max: 120_000, default: 5_000, unit: 'milliseconds' }),
  MQTT_CONNECTIONS_MAX: integerSetting({ min: 1, max: 1_000_000, default: 20_000, unit: 'connections' }),
  MQTT_CONNECTIONS_PER_ADDRESS_MAX: integerSetting({
    min: 1,
    max: 1_000_000,
    default: 10_000,
    unit: 'connections from one address',
  }),
  /** New connections, in all and from one address; ten times as many may come at once. */
  MQTT_CONNECTS_PER_SECOND_MAX: integerSetting({
    min: 1,
    max: 100_000,
    default: 2_000,
    unit: 'connects a second',
  }),
  MQTT_CONNECTS_PER_ADDRESS_PER_SECOND_MAX: integerSetting({
    min: 1,
    max: 100_000,
    default: 500,
    unit: 'connects a second from one address',
  }),
  /**
   * Sockets without a CONNECT (the oldest makes room), and log-ins being checked (the newest is refused); one address
   * has half of them at most.
   */
  MQTT_UNAUTHENTICATED_MAX: integerSetting({ min: 1, max: 100_000, default: 4_000, unit: 'connections' }),
  /** Wrong log-ins of one username from one address; beyond it no secret is checked until the count has faded. */
  MQTT_LOG_IN_FAILURES_MAX: integerSetting({
    min: 1,
    max: 100_000,
    default: 10,
    unit: 'wrong log-ins a minute',
  }),
  /** The same for all usernames from one address. */
  MQTT_LOG_IN_FAILURES_PER_ADDRESS_MAX: integerSetting({
    min: 1,
    max: 1_000_000,
    default: 600,
    unit: 'wrong log-ins a minute',
  }),
  /** Log-ins that end another connection of the same client id; further ones wait. */
  MQTT_TAKEOVERS_PER_MINUTE_MAX: integerSetting({
    min: 1,
    max: 100_000,
    default: 6,
    unit: 'takeovers a minute',
  }),
  MQTT_TAKEOVER_DELAY_MS: integerSetting({ min: 0, max: 60_000, default: 3_000, unit: 'milliseconds' }),
  /** A hub that logs in more often counts as flapping. */
  MQTT_FLAPPING_LOG_INS_PER_MINUTE: integerSetting({
    min: 1,
    max: 100_000,
    default: 10,
    unit: 'log-ins a minute',
  }),
  /** Memory of messages that wait for their commit; above it clients are not read past their next PUBLISH. */
  MQTT_HELD_BYTES_MAX: integerSetting({ min: 64 * KIB, max: 4_096 * MIB, default: 64 * MIB, unit: 'bytes' }),
  /** QoS 2 messages of one client between PUBLISH and PUBREL; above it the connection ends. */
  MQTT_QOS2_IN_FLIGHT_MAX: integerSetting({ min: 1, max: 65_535, default: 1_000, unit: 'messages' }),
  MQTT_SUBSCRIPTIONS_MAX: integerSetting({
    min: 1,
    max: 10_000,
    default: 100,
    unit: 'subscriptions per connection',
  }),
  /** Kept sessions (clean session off) of one username; the least recently used is forgotten. */
  MQTT_SESSIONS_MAX: integerSetting({ min: 1, max: 1_000, default: 4, unit: 'kept sessions per username' }),
  /** Messages kept for one session until they are acknowledged; further ones reach it only while it is connected. */
  MQTT_SESSION_QUEUE_MAX: integerSetting({
    min: 1,
    max: 100_000,
    default: 1_000,
    unit: 'messages per session',
  }),
  /** Our own messages on their way to subscribers; above it `publish` fails. */
  MQTT_PUBLISH_QUEUE_MAX: integerSetting({ min: 1, max: 100_000, default: 10_000, unit: 'messages' }),
}

export type BrokerSettings = z.output<z.ZodObject<typeof brokerSettings>>

/** Checks what one setting alone cannot say. Throws a `SettingsError`. */
export function checkBrokerSettings(settings: BrokerSettings): void {
  const {
    MQTT_TLS_KEY: key,
    MQTT_TLS_CERT: cert,
    MQTT_TLS_CA: ca,
    MQTT_FRAME_BYTES_MAX: frame,
    MQTT_MESSAGE_BYTES_MAX: message,
  } = settings
  if ((key === undefined) !== (cert === undefined) || (ca !== undefined && key === undefined)) {
    const given = Object.entries({ MQTT_TLS_KEY: key, MQTT_TLS_CERT: cert, MQTT_TLS_CA: ca })
      .filter(([, path]) => path !== undefined)
      .map(([name, path]) => `${name}=${path}`)
    throw new SettingsError(
      `${given.join(', ')}: TLS needs both MQTT_TLS_KEY and MQTT_TLS_CERT (paths of PEM files); MQTT_TLS_CA comes on ` +
        'top of them. Set the missing one, or remove all of them to listen without TLS.',
    )
  }
  if (frame < message) {
    throw new SettingsError(
      `MQTT_FRAME_BYTES_MAX=${frame} is below MQTT_MESSAGE_BYTES_MAX=${message}: expected at least the same.`,
    )
  }
}
