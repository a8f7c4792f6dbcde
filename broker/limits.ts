import type { Logger } from 'pino'
import { type BrokerSettings, OVERSIZED_KEPT_BYTES } from './config.ts'
import type { BrokerCounters, ConnectionRefusal } from './counters.ts'
import type { FrameLimits } from './frame-scanner.ts'
import { ConnectionGate } from './gate.ts'
import { HeldBytes } from './held-bytes.ts'
import type { Clock } from './intake.ts'
import { LeakyBuckets } from './leaky-buckets.ts'
import { LockOut } from './lock-out.ts'
import type { LogLimit } from './log-limit.ts'
import { Takeovers } from './takeovers.ts'

const HUBS_MAX = 100_000
const MINUTE_SECONDS = 60

const REFUSALS: Record<ConnectionRefusal, string> = {
  connections: 'MQTT_CONNECTIONS_MAX are open',
  connections_of_address: 'MQTT_CONNECTIONS_PER_ADDRESS_MAX of this address are open',
  connects: 'more came than MQTT_CONNECTS_PER_SECOND_MAX allows',
  connects_of_address: 'more came from this address than MQTT_CONNECTS_PER_ADDRESS_PER_SECOND_MAX allows',
}

/** Where reaching a limit is told. */
interface LimitParts {
  counters: BrokerCounters
  clock: Clock
  log: Logger
  logLimit: LogLimit
}

/** The gate for new sockets; what it refuses is counted, and logged by address. */
export function createGate(settings: BrokerSettings, parts: LimitParts): ConnectionGate {
  const { counters, clock, log, logLimit } = parts
  const now = () => clock.monotonic()
  return new ConnectionGate({
    connectionsMax: settings.MQTT_CONNECTIONS_MAX,
    perAddressMax: settings.MQTT_CONNECTIONS_PER_ADDRESS_MAX,
    unauthenticatedMax: settings.MQTT_UNAUTHENTICATED_MAX,
    connectsPerSecond: settings.MQTT_CONNECTS_PER_SECOND_MAX,
    connectsPerAddressPerSecond: settings.MQTT_CONNECTS_PER_ADDRESS_PER_SECOND_MAX,
    now,
    onRefused: (refusal, address) => {
      counters.connectionsRefused[refusal]++
      if (!logLimit.allows(`refused ${address} ${refusal}`, now())) return
      log.warn({ address }, `connections refused: ${REFUSALS[refusal]}`)
    },
    onDropped: (address) => {
      counters.unauthenticatedDropped++
      if (!logLimit.allows(`dropped ${address}`, now())) return
      log.warn({ address }, 'connections without a CONNECT dropped: MQTT_UNAUTHENTICATED_MAX are open')
    },
  })
}

export function createHeldBytes(settings: BrokerSettings, parts: LimitParts): HeldBytes {
  const { counters, clock, log, logLimit } = parts
  return new HeldBytes({
    bytesMax: settings.MQTT_HELD_BYTES_MAX,
    onWait: (username) => {
      counters.readsHeld++
      if (!logLimit.allows(`held ${username}`, clock.monotonic())) return
      log.warn({ username }, 'its messages wait in its socket: MQTT_HELD_BYTES_MAX wait for their commit')
    },
  })
}

export function createLockOut(settings: BrokerSettings): LockOut {
  return new LockOut({
    failuresPerMinute: settings.MQTT_LOG_IN_FAILURES_MAX,
    addressFailuresPerMinute: settings.MQTT_LOG_IN_FAILURES_PER_ADDRESS_MAX,
  })
}

/** The log-ins of each hub; full for those that flap. */
export function createFlapping({
  MQTT_FLAPPING_LOG_INS_PER_MINUTE: perMinute,
}: BrokerSettings): LeakyBuckets {
  return new LeakyBuckets({
    capacity: perMinute,
    leakPerSecond: perMinute / MINUTE_SECONDS,
    keysMax: HUBS_MAX,
  })
}

export function createTakeovers(settings: BrokerSettings, clock: Clock): Takeovers {
  return new Takeovers({
    perMinuteMax: settings.MQTT_TAKEOVERS_PER_MINUTE_MAX,
    delayMs: settings.MQTT_TAKEOVER_DELAY_MS,
    now: () => clock.monotonic(),
  })
}

export function frameLimits(settings: BrokerSettings): FrameLimits {
  const { MQTT_MESSAGE_BYTES_MAX: message, MQTT_CONNECT_BYTES_MAX: connect } = settings
  return {
    connect_bytes_max: Math.min(connect, message),
    message_bytes_max: message,
    frame_bytes_max: settings.MQTT_FRAME_BYTES_MAX,
    oversized_kept_bytes: OVERSIZED_KEPT_BYTES,
  }
}
