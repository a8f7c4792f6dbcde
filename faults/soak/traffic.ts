import { setTimeout as sleep } from 'node:timers/promises'
import { noFaults } from '../../simulators/faults/fault-counts.ts'
import { parseFaults } from '../../simulators/faults/rates.ts'
import { Hub } from '../../simulators/hub/hub.ts'
import type { OpenLink } from '../../simulators/hub/link.ts'
import type { RunCounts } from '../../simulators/hub/run-counts.ts'
import type { Ledger } from '../../simulators/ledger/ledger.ts'
import { publishersOf } from '../../simulators/publishers.ts'
import type { FleetPlan, Measurement, PublisherName } from '../../simulators/types.ts'
import { World } from '../../simulators/world/world.ts'

export interface TrafficOptions {
  fleet: FleetPlan
  secrets: ReadonlyMap<PublisherName, string>
  seed: number
  openLink: OpenLink
  ledger: Ledger
  counts: RunCounts
  /** The broker has refused a log-in. */
  onRefused: (sentence: string) => void
}

/** Hubs that also reboot, lose their connection, send twice, and send what is to be rejected. */
const RATES = parseFaults(
  'duplicate=0.02,out_of_order=0.02,late=0.002,malformed=0.1,reboot=6,flapping=20,door_left_open=20',
)
const LIMITS = { readingsPerMessageMax: 20, batchMs: 100, inFlightMax: 8, bufferMessagesMax: 10_000 }
const TICK_MS = 10
/** Each tick serves the hubs of one turn, so that messages come all the time. */
const TURNS = 10
const RECONNECT_MS_MAX = 600
/** Fridges whose doors move often. */
const SPEED = 20

/**
 * The hubs between two check points, with what their sensors measure. They are made anew each time, as after a power
 * cut of everything: other starts, the same devices.
 */
export class Traffic {
  readonly #options: TrafficOptions
  readonly #startMs = Date.now()
  readonly #beganMs = performance.now()
  readonly #world: World
  readonly #hubs = new Map<PublisherName, Hub>()
  readonly #measured = new Map<PublisherName, Measurement[]>()
  #turn = 0
  #timer: NodeJS.Timeout | undefined
  #isMeasuring = true

  constructor(options: TrafficOptions) {
    const { fleet, seed } = options
    this.#options = options
    this.#world = new World({ fleet, seed, rates: RATES, startMs: this.#startMs, speed: SPEED })
    for (const publisher of publishersOf(fleet)) this.#hubs.set(publisher, this.#makeHub(publisher))
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  /** Messages that are not acknowledged yet. */
  get buffered(): number {
    return this.#hubs.values().reduce((sum, hub) => sum + hub.buffered, 0)
  }

  /** Measures nothing more and waits until all is acknowledged; false when that takes too long. */
  async drain(limitMs: number): Promise<boolean> {
    const deadline = performance.now() + limitMs
    this.#isMeasuring = false
    // A hub that drains makes no more messages: one that changes places with the next would wait for ever.
    this.#measured.clear()
    for (const hub of this.#hubs.values()) hub.startDraining()
    while (this.buffered > 0 && performance.now() < deadline) await sleep(TICK_MS)
    return this.buffered === 0
  }

  async end(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#hubs.values().map((hub) => hub.end()))
  }

  #makeHub(publisher: PublisherName): Hub {
    const { secrets, seed, openLink, ledger, counts, onRefused } = this.#options
    return new Hub({
      publisher,
      secret: secrets.get(publisher) ?? '',
      seed,
      rates: RATES,
      limits: LIMITS,
      openLink,
      ledger,
      counts,
      faultCounts: noFaults(),
      startMs: this.#startMs,
      connectAtMs: this.#startMs,
      reconnectMsMax: RECONNECT_MS_MAX,
      onRefused: (username, reason) => onRefused(`${username}: ${reason}`),
    })
  }

  #tick(): void {
    const nowMs = this.#startMs + performance.now() - this.#beganMs
    if (this.#isMeasuring) this.#measure(nowMs)
    this.#turn = (this.#turn + 1) % TURNS
    let index = 0
    for (const [publisher, hub] of this.#hubs) {
      index += 1
      if (index % TURNS !== this.#turn) continue
      hub.tick(nowMs, this.#measured.get(publisher) ?? [])
      this.#measured.delete(publisher)
    }
  }

  #measure(nowMs: number): void {
    for (const [publisher, measurements] of this.#world.advance(nowMs)) {
      const waiting = this.#measured.get(publisher)
      if (waiting) waiting.push(...measurements)
      else this.#measured.set(publisher, measurements)
    }
  }
}
