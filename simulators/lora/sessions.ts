import { createHash } from 'node:crypto'
import type { Session } from './uplink.ts'

/** The sessions of the sensors of a network server. With each run they are others, as after a join. */
export class Sessions {
  readonly #startMs: number
  readonly #sessions = new Map<string, Session>()

  constructor(startMs: number) {
    this.#startMs = startMs
  }

  /** The session for the next frame of a sensor; `isNew` with its first one. */
  next(device: string): { session: Session; isNew: boolean } {
    const before = this.#sessions.get(device)
    const session = before
      ? { ...before, fCnt: before.fCnt + 1 }
      : { devAddr: devAddrOf(device, this.#startMs), fCnt: 0 }
    this.#sessions.set(device, session)
    return { session, isNew: before === undefined }
  }
}

function devAddrOf(device: string, startMs: number): string {
  return createHash('sha1').update(`${device} ${startMs}`).digest('hex').slice(0, 8)
}
