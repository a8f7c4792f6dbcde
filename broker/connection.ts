import type { Duplex } from 'node:stream'
import type { Client, ConnectPacket } from 'aedes'
import type { Acknowledgements } from './acknowledgements.ts'
import type { FrameScanner } from './frame-scanner.ts'
import type { Admission } from './held-bytes.ts'
import type { HeldPublish } from './held-publish.ts'
import type { Keepalive } from './keepalive.ts'
import type { ReadAhead } from './read-ahead.ts'
import type { ReleaseOrder } from './release-order.ts'
import type { RepeatedPublish } from './repeated-publish.ts'
import type { Principal, Route } from './types.ts'

/** A client's byte stream and what is known of its other end. */
export interface Incoming {
  readonly stream: Duplex
  /** Identifies its socket at the gate. */
  readonly peer: string
  readonly remoteAddress: string | undefined
  /** The CN of a verified client certificate. */
  readonly certificateName: string | undefined
}

/** What the broker knows about one connection beside what Aedes keeps. */
export interface Connection extends Incoming {
  readonly client: Client
  readonly scanner: FrameScanner
  readonly order: ReleaseOrder<HeldPublish>
  readonly acknowledgements: Acknowledgements
  readonly repeated: RepeatedPublish
  readonly readAhead: ReadAhead
  /** Filters that are granted, by which MQTT_SUBSCRIPTIONS_MAX is counted. */
  readonly filters: Set<string>
  /** Resolves when the connection is closed and Aedes has forgotten it. */
  readonly gone: Promise<void>
  /** Set when CONNECT has come. */
  connect: ConnectPacket | undefined
  /** As CONNECT announced it; 0 = none. */
  keepaliveSeconds: number
  /** Set when it has logged in. */
  keepalive: Keepalive | undefined
  /** Set when it has logged in: what it may have us hold. */
  admission: Admission | undefined
  /** Too many log-ins are being checked: this one is refused as unavailable. */
  crowdedOut: boolean
  /** Set when it has logged in. */
  principal: Principal | undefined
  /** As the client sent it, or as Aedes made it up for an empty one; without the username that Aedes sees before it. */
  clientId: string
  /** One of its messages was not taken: it is being disconnected, and nothing more is acknowledged. */
  failed: boolean
  /** The error that ended it has been counted: Aedes reports one for every packet that it could not write. */
  errorCounted: boolean
  /** The last topic it published to, which most clients never change. */
  lastRoute: { topic: string; route: Route } | undefined
}
