import type { Admission } from './held-bytes.ts'
import type { Held } from './release-order.ts'
import type { Arrival } from './types.ts'

/** Answers a PUBLISH that came through Aedes, or with an error ends its connection. */
export type Release = (error?: Error | null) => void

/** A publish that waits for its acknowledgement: there are many, so it is one plain record and no functions. */
export interface HeldPublish extends Held<HeldPublish> {
  readonly arrival: Arrival
  readonly admission: Admission
  /** With which it counts for MQTT_HELD_BYTES_MAX. */
  cost: number
  readonly messageId: number | undefined
  readonly release: Release | undefined
  isAnswered: boolean
}
