import type { Logger } from 'pino'
import { Counter, type Registry } from 'prom-client'
import type { Arrival } from '../broker/types.ts'
import { type Draft, rejectedDraft } from './draft.ts'
import { addRejects, type PendingReject, type Subject } from './message.ts'

export interface DefectsOptions {
  log: Logger
  metrics: Registry
}

const LOG_INTERVAL_MS = 60_000
const LOGGED_MAX = 100
/** For operator and hub: the error itself is in the log. */
const DETAIL =
  'a defect of this version of FrostGuard, named in its log: replay the message once that is mended'

/**
 * What happens to a message that our own code throws on: it is set aside with its bytes, like any other that cannot be
 * used. Given back, it would come again for ever; in the spool it would hold up everything behind it.
 */
export class Defects {
  readonly #log: Logger
  readonly #counter: Counter
  /** When each was logged last, by its text. */
  readonly #loggedAtMs = new Map<string, number>()

  constructor({ log, metrics }: DefectsOptions) {
    this.#log = log
    this.#counter = new Counter({
      name: 'frostguard_message_defects_total',
      help: 'Messages set aside because of a defect of this program; the log names it',
      registers: [metrics],
    })
  }

  /** The draft of a message that could not be decoded: rejected whole. */
  undecoded(arrival: Arrival, done: (error?: Error) => void, error: unknown): Draft {
    this.#note(arrival, error)
    return rejectedDraft(arrival, done, DETAIL)
  }

  /** Rejects each item of a draft that could not be placed: the message counts as many items as when it came. */
  unplaced(draft: Draft, error: unknown): void {
    const { message, readings, doors } = draft
    this.#note(message.arrival, error)
    const decoded = message.items - readings.length - doors.length
    // Some may have been placed or refused before it threw.
    message.rejects = message.rejects.slice(0, decoded)
    const reject = (items: Draft['readings'] | Draft['doors'], subject: Subject) =>
      items.map(
        ({ item, device }): PendingReject => ({
          item,
          reason: 'invalid',
          detail: DETAIL,
          device,
          sqlstate: null,
          subject,
        }),
      )
    addRejects(message, [...reject(readings, 'readings'), ...reject(doors, 'doors')])
    Object.assign(message, { readings: [], doors: [] })
    Object.assign(draft, { readings: [], doors: [] })
  }

  /** Each once a minute at most: a hub may send the same thing every second. */
  #note({ topic, principal }: Arrival, error: unknown): void {
    this.#counter.inc()
    const nowMs = performance.now()
    const loggedAtMs = this.#loggedAtMs.get(String(error))
    if (loggedAtMs !== undefined && nowMs - loggedAtMs < LOG_INTERVAL_MS) return
    if (this.#loggedAtMs.size >= LOGGED_MAX) this.#loggedAtMs.clear()
    this.#loggedAtMs.set(String(error), nowMs)
    this.#log.error(
      { err: error, topic, client: principal.username },
      'a defect: a message could not be handled and is set aside',
    )
  }
}
