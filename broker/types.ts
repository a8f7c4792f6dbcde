/**
 * Who has logged in. The broker reads `kind` and `name` for its topic rules; the ids are opaque to it and
 * travel with every arrival, so that ingest does not look the client up again.
 */
export interface Principal {
  kind: 'hub' | 'device' | 'network_server' | 'operator'
  /** The name as it stands in topics: hub key, DevEUI (16 lower-case hex digits), network server key, organization slug. */
  name: string
  /** The username of the log-in, for example `hub-1`, `device:24e124136b502f4a`, `ns:chirpstack-1`, `operator:demo`. */
  username: string
  organizationId: number
  /** Row id of the hub, device, network server or organization. */
  id: number
  /** The stored secret hash this log-in was verified against: when it changes, the log-in is no longer valid. */
  credentialHash: string
}

export type HubChannel = 'readings' | 'doors' | 'status'
export type DeviceChannel = 'readings' | 'doors'

/**
 * What a data topic means; parsed once by the broker, where it also decides the access. `unknown` is nothing that the broker
 * lets in: another version may have taken it.
 */
export type Route =
  | { kind: 'hub'; hub: string; channel: HubChannel }
  | { kind: 'device'; devEui: string; channel: DeviceChannel }
  | { kind: 'chirpstack'; devEui: string; event: string }
  | { kind: 'things_stack'; deviceId: string; event: string }
  | { kind: 'unknown' }

/** One publish (or last will) that has passed the topic rules, on its way to ingest. */
export interface Arrival {
  topic: string
  route: Route
  /** The raw bytes; of an oversized message only its beginning (4 KiB). */
  payload: Buffer
  /** Set when the message was larger than MQTT_MESSAGE_BYTES_MAX: its full size in bytes. `payload` is then only its beginning. */
  oversizedBytes?: number | undefined
  qos: 0 | 1 | 2
  /** The DUP flag: a hint only, senders get it wrong. */
  dup: boolean
  principal: Principal
  clientId: string
  /** True for a last will that the broker publishes for a client that is gone. */
  isWill: boolean
  /** Wall clock at arrival, epoch milliseconds. */
  receivedAt: number
  /** Monotonic clock at arrival, `performance.now()` milliseconds. */
  arrivedAtMs: number
  /**
   * To be set by `accept` before it returns: the memory in bytes that it holds for what it has made of the payload,
   * counted for MQTT_HELD_BYTES_MAX. Unset, the broker counts with what readings usually take.
   */
  decodedBytes?: number | undefined
  /** To be set by `accept` before it returns: what the message brings is old, its client is draining what it has kept. */
  isBacklog?: boolean | undefined
}

/**
 * Takes a publish and calls `done` exactly once, when the message is durable (committed, or set aside with a
 * reason): only then is it acknowledged. An error ends the connection without an acknowledgement, so that the
 * client sends the message again. `done` may be called synchronously, in any order and after the client is gone.
 */
export type Accept = (arrival: Arrival, done: (error?: Error) => void) => void

/** The outcome of a log-in; `bad_credentials` is CONNACK 4, `not_authorized` 5, `unavailable` 3. */
export type Authentication =
  | { ok: true; principal: Principal }
  | { ok: false; refusal: 'bad_credentials' | 'not_authorized' | 'unavailable'; reason: string }

export interface LogIn {
  username: string | undefined
  password: Buffer | undefined
  clientId: string
  remoteAddress: string | undefined
  /**
   * Too many wrong log-ins have come with this username or from this address: only a secret that was verified before
   * may pass, everything else is `unavailable`, at no cost and known or not.
   */
  isLockedOut: boolean
  /** Mutual TLS: the CN of the verified client certificate. It is the username then, and no password is needed. */
  certificateName?: string
}

export type Authenticate = (logIn: LogIn) => Promise<Authentication>

/** Whether a log-in of the past would still succeed: neither removed nor its secret changed. */
export type StillValid = (principal: Principal) => boolean

/**
 * Told, in pairs, when a client has logged in and when that connection has gone (after its last will was accepted);
 * `lastConnection` is true when no other connection of that username lives.
 */
export interface Presence {
  connected(principal: Principal): void
  disconnected(principal: Principal, lastConnection: boolean): void
}
