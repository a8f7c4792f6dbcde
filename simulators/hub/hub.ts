import { type Interruption, Interruptions } from '../faults/interruptions.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { isHub } from '../publishers.ts'
import { Random } from '../random.ts'
import type { Measurement, PublisherName } from '../types.ts'
import { Backoff } from './backoff.ts'
import type { Link, LinkFailure, OpenLink } from './link.ts'
import { type Message, topicOf } from './message.ts'
import { Outbox, type OutboxOptions } from './outbox.ts'
import type { RunCounts } from './run-counts.ts'

const FIRMWARE = 'simulated-1'
const SUBSCRIBED = ['rejected', 'receipt', 'commands']

export interface HubOptions extends Omit<OutboxOptions, 'onDropped'> {
  secret: string
  /** When this hub is switched on. */
  connectAtMs: number
  /** The longest pause between two attempts to connect; default as `Backoff`'s. */
  reconnectMsMax?: number
  openLink: OpenLink
  ledger: Ledger
  counts: RunCounts
  /** Told when the broker refuses the log-in of a hub that has never been connected. */
  onRefused: (publisher: PublisherName, reason: string) => void
}

type Mode = 'waiting' | 'connecting' | 'online' | 'ended'
const NEXT_MODES: Record<Mode, readonly Mode[]> = {
  waiting: ['connecting', 'ended'],
  connecting: ['online', 'waiting', 'ended'],
  online: ['waiting', 'ended'],
  ended: [],
}

/**
 * A hub, or a device with a connection of its own, as real ones behave. Modes: `waiting` until it may connect (switched
 * on, backing off, rebooting), `connecting` until the CONNACK, `online` until the connection is lost (back to
 * `waiting`), `ended` when the run is over. Whatever the mode, its outbox takes measurements; only an acknowledged
 * message leaves it.
 */
export class Hub {
  readonly #options: HubOptions
  readonly #outbox: Outbox
  readonly #interruptions: Interruptions
  readonly #backoff: Backoff
  /** Others have no status and nothing to subscribe to. */
  readonly #isHub: boolean
  #mode: Mode = 'waiting'
  #link: Link | undefined
  #nextAttemptMs: number
  #downUntilMs = 0
  #wasOnline = false
  #isDraining = false
  /** Happens after the next publish. */
  #armed: Interruption | undefined
  #nowMs: number

  constructor(options: HubOptions) {
    const { publisher, seed, rates, startMs, faultCounts: counts } = options
    this.#options = options
    this.#isHub = isHub(publisher)
    this.#nowMs = startMs
    this.#nextAttemptMs = options.connectAtMs
    this.#interruptions = new Interruptions({ publisher, seed, rates, counts, startMs })
    this.#backoff = new Backoff(new Random(seed, 'backoff', publisher), options.reconnectMsMax)
    this.#outbox = new Outbox({ ...options, onDropped: (message) => this.#dropped(message) })
  }

  get inFlight(): number {
    return this.#outbox.inFlight
  }

  /** Messages that are kept, those in flight included. */
  get buffered(): number {
    return this.#outbox.size
  }

  get isOnline(): boolean {
    return this.#mode === 'online'
  }

  /** Lets the time pass up to now; what was measured since the last call comes with it. */
  tick(nowMs: number, measurements: readonly Measurement[]): void {
    this.#nowMs = nowMs
    if (!this.#isDraining) for (const event of this.#interruptions.due(nowMs)) this.#interrupt(event)
    const isDown = nowMs < this.#downUntilMs
    if (isDown) this.#options.counts.unheard += measurements.length
    this.#outbox.take(isDown ? [] : measurements, nowMs)
    if (this.#mode === 'waiting' && nowMs >= this.#nextAttemptMs) this.#connect()
    this.#pump()
  }

  /** No more faults: everything that is held goes out, and a hub that is away comes back at once. */
  startDraining(): void {
    this.#isDraining = true
    this.#armed = undefined
    this.#outbox.flush(this.#nowMs)
    this.#backoff.reset()
    this.#nextAttemptMs = this.#nowMs
    this.#pump()
  }

  /** Says goodbye, where there is a connection. */
  async end(): Promise<void> {
    const link = this.#link
    if (this.isOnline) {
      this.#options.counts.connected -= 1
      this.#publishStatus('offline')
    }
    this.#link = undefined
    this.#enter('ended')
    await link?.close()
  }

  #enter(mode: Mode): void {
    if (!NEXT_MODES[this.#mode].includes(mode)) {
      throw new Error(`Hub ${this.#options.publisher} cannot go from ${this.#mode} to ${mode}.`)
    }
    this.#mode = mode
  }

  #connect(): void {
    const { publisher, secret, openLink } = this.#options
    const will = { topic: topicOf(publisher, 'status'), payload: JSON.stringify({ state: 'offline' }) }
    this.#enter('connecting')
    this.#link = openLink(
      { username: publisher, password: secret, will: this.#isHub ? will : undefined },
      {
        opened: () => this.#opened(),
        lost: (failure) => this.#lost(failure),
        received: (topic) => this.#received(topic),
      },
    )
  }

  #opened(): void {
    const { publisher, counts } = this.#options
    this.#enter('online')
    this.#wasOnline = true
    counts.connected += 1
    this.#backoff.reset()
    if (this.#isHub) this.#link?.subscribe(SUBSCRIBED.map((channel) => topicOf(publisher, channel)))
    this.#publishStatus('online')
    this.#pump()
  }

  #publishStatus(state: 'online' | 'offline'): void {
    if (!this.#isHub) return
    const sentAtMs = this.#outbox.shownMs(this.#nowMs)
    const status = { state, firmware: FIRMWARE, queued: this.buffered, sent_at: sentAtMs }
    this.#link?.publish(topicOf(this.#options.publisher, 'status'), JSON.stringify(status), () => {})
  }

  #lost({ kind, reason }: LinkFailure): void {
    const { counts, publisher, onRefused } = this.#options
    const failed = this.#outbox.connectionLost()
    if (this.isOnline) {
      counts.connected -= 1
      counts.connectionsLost += 1
      counts.failed += failed
    }
    this.#link = undefined
    this.#enter('waiting')
    this.#nextAttemptMs = Math.max(this.#nowMs + this.#backoff.next(), this.#downUntilMs)
    if (kind === 'refused' && !this.#wasOnline) onRefused(publisher, reason)
  }

  #received(topic: string): void {
    const { counts } = this.#options
    if (topic.endsWith('/receipt')) counts.receipts += 1
    else if (topic.endsWith('/rejected')) counts.rejectAnswers += 1
    else counts.commands += 1
  }

  #interrupt(event: Interruption): void {
    if (event.moment !== 'idle' && this.isOnline && !this.#armed) this.#armed = event
    else this.#strike(event)
  }

  #strike(event: Interruption): void {
    // Once the connection is cut nothing is in flight any more.
    this.#link?.cut(event.moment === 'PUBACK lost')
    if (event.kind === 'cut') return
    this.#outbox.reboot(this.#nowMs, event.keepsBuffer)
    this.#downUntilMs = this.#nowMs + event.downMs
    this.#nextAttemptMs = this.#downUntilMs
  }

  #dropped(message: Message): void {
    this.#options.counts.dropped += 1
    this.#options.ledger.drop(message)
  }

  #pump(): void {
    const link = this.#link
    if (!link || !this.isOnline) return
    let message = this.#outbox.next()
    const armed = message ? this.#armed : undefined
    for (; message; message = this.#outbox.next()) this.#send(link, message)
    if (!armed) return
    this.#armed = undefined
    this.#strike(armed)
  }

  #send(link: Link, message: Message): void {
    const { ledger, counts } = this.#options
    ledger.attempt(message)
    counts.publishes += 1
    counts.readings += message.readings.length
    const sentMs = performance.now()
    link.publish(message.topic, message.payload, () => {
      counts.recordLatency(performance.now() - sentMs)
      this.#acknowledged(message)
    })
  }

  #acknowledged(message: Message): void {
    if (!this.#outbox.acknowledge(message, !this.#isDraining)) return
    this.#options.counts.acknowledged += 1
    if (message.entry) this.#options.ledger.acknowledge(message.entry)
    this.#pump()
  }
}
