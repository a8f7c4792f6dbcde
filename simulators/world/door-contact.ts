import type { DoorState } from '../../ingest/payloads.ts'
import type { Interval, NextInterval } from './intervals.ts'

/** A door's contact: its changes one after the other, at times of the intervals. */
export class DoorContact {
  readonly #next: NextInterval
  #opening: Interval
  #isOpen = false

  constructor(openings: NextInterval) {
    this.#next = openings
    this.#opening = openings()
  }

  /** When it changes next; infinite if never. */
  get changesAt(): number {
    return this.#isOpen ? this.#opening.to : this.#opening.from
  }

  /** Goes on to the next change and says what the state is from then on. */
  change(): DoorState {
    this.#isOpen = !this.#isOpen
    if (!this.#isOpen) this.#opening = this.#next()
    return this.#isOpen ? 'open' : 'closed'
  }
}
