import { hash } from 'node:crypto'
import type { Frame } from './decode/lora/uplink-items.ts'

export interface RecentFramesOptions {
  /** How far apart the network's times of two copies of a frame may be. */
  windowMs: number
  /** With more, the oldest are forgotten. */
  framesMax: number
}

/**
 * Remembers the frames of the last minutes, to know one that comes a second time as another message: from a slower
 * gateway, or as a repeated transmission that the network server has not held back. A later copy gets the time of the
 * first, so that its readings are duplicates. A frame is its device, session address, counter and bytes: counters begin
 * again with a session. Each organization has its own: nobody can move the times of another's.
 */
export class RecentFrames {
  readonly #options: RecentFramesOptions
  /** The network's time of the first copy, by frame; the one seen last stands last. */
  readonly #times = new Map<string, number>()
  /** Frames that have come a second time. */
  repeated = 0

  constructor(options: RecentFramesOptions) {
    this.#options = options
  }

  /** The network's time of the frame, epoch milliseconds: that of its first copy, where it has come before. */
  timeOf(frame: Frame): number | null {
    const { organizationId, devEui, deviceId, devAddr, fCnt, bytes, networkAtMs, isSimulated } = frame
    // Without bytes there is nothing to tell two frames with one counter by, and what is simulated has no counter.
    if (networkAtMs === null || bytes.length === 0 || isSimulated) return networkAtMs
    const key = `${organizationId} ${devEui ?? deviceId} ${devAddr} ${fCnt} ${hash('sha1', bytes, 'base64')}`
    const firstMs = this.#times.get(key)
    const isRepeated = firstMs !== undefined && Math.abs(networkAtMs - firstMs) <= this.#options.windowMs
    if (isRepeated && firstMs !== networkAtMs) this.repeated += 1
    const atMs = isRepeated ? firstMs : networkAtMs
    this.#times.delete(key)
    this.#times.set(key, atMs)
    this.#forget()
    return atMs
  }

  #forget(): void {
    if (this.#times.size <= this.#options.framesMax) return
    const [oldest] = this.#times.keys()
    if (oldest !== undefined) this.#times.delete(oldest)
  }
}
