import { setTimeout as sleep } from 'node:timers/promises'
import { type FaultCounts, noFaults } from './faults/fault-counts.ts'
import { contactError, makeFirstContact } from './hub/first-contact.ts'
import { Hub } from './hub/hub.ts'
import type { OpenLink } from './hub/link.ts'
import type { HubLimits } from './hub/outbox.ts'
import { RunCounts } from './hub/run-counts.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { LoraFormat } from './lora/uplink.ts'
import { Progress } from './progress.ts'
import { loraFormatOf, publishersOf } from './publishers.ts'
import type { FaultRates, FleetPlan, Measurement, PublisherName } from './types.ts'
import { World } from './world/world.ts'

const TICK_MS = 250
const DRAIN_TICK_MS = 50
const PROGRESS_MS_DEFAULT = 5_000
/** Each log-in costs the broker a hash of milliseconds. */
const CONNECTS_PER_SECOND = 100
const NO_MEASUREMENTS: readonly Measurement[] = []

export interface RunOptions {
  fleet: FleetPlan
  secrets: ReadonlyMap<PublisherName, string>
  /** Shown in messages; `openLink` knows how to get there. */
  url: string
  openLink: OpenLink
  seed: number
  rates: FaultRates
  /** Seconds of physics in a second of the clock. */
  speed: number
  /** Undefined = until `stop`. */
  seconds: number | undefined
  limits: HubLimits
  /** What the network servers of the fleet speak; default both, in turn. */
  loraFormat?: LoraFormat | 'both'
  /** How long the hubs may take at the end to get rid of what they keep. */
  drainSeconds: number
  ledger: Ledger
  stop: AbortSignal
  /** Takes a line for people, every `progressMs` (default 5 s). */
  print: (line: string) => void
  progressMs?: number
}

export interface RunResult {
  counts: RunCounts
  faultCounts: FaultCounts
  hubs: number
  /** Of the load, without the drain. */
  seconds: number
  /** Of this process, over that time. */
  cpuSeconds: number
  drainSeconds: number
  /** Messages that the hubs still had at the end. */
  undelivered: number
}

/**
 * Runs a fleet against a broker: world → hubs → MQTT, tick by tick, until the time is over or `stop`; then the hubs
 * drain and say goodbye. Throws a sentence when there is no broker, or when it refuses a hub.
 */
export async function runSimulators(options: RunOptions): Promise<RunResult> {
  const [first] = publishersOf(options.fleet)
  if (first === undefined)
    throw new Error('The fleet has nobody who publishes: no hub, and no device that connects.')
  const password = options.secrets.get(first) ?? ''
  await makeFirstContact(options.openLink, { username: first, password, will: undefined }, options.url)
  const run = new Run(options)
  try {
    await run.load()
    return await run.drain()
  } finally {
    await run.end()
  }
}

/** The hubs of a run and its clock: monotonic, so that nothing depends on a step of the machine's. */
class Run {
  readonly #options: RunOptions
  readonly #startMs = Date.now()
  readonly #beganMs = performance.now()
  readonly #beganCpu = process.cpuUsage()
  readonly #counts = new RunCounts()
  readonly #faultCounts = noFaults()
  readonly #hubs = new Map<PublisherName, Hub>()
  readonly #world: World
  #refusal: Error | undefined
  #seconds = 0
  #cpuSeconds = 0

  constructor(options: RunOptions) {
    const { fleet, seed, rates, speed } = options
    this.#options = options
    this.#world = new World({ fleet, seed, rates, speed, startMs: this.#startMs })
    for (const [index, publisher] of publishersOf(fleet).entries()) {
      this.#hubs.set(publisher, this.#makeHub(publisher, index))
    }
  }

  async load(): Promise<void> {
    const {
      seconds = Number.POSITIVE_INFINITY,
      stop,
      print,
      progressMs = PROGRESS_MS_DEFAULT,
    } = this.#options
    const progress = new Progress({
      counts: this.#counts,
      hubs: [...this.#hubs.values()],
      world: this.#world,
    })
    let nextProgressMs = progressMs
    while (!stop.aborted && this.#elapsedMs() < seconds * 1_000) {
      const nowMs = this.#startMs + this.#elapsedMs()
      const measured = this.#world.advance(nowMs)
      for (const [publisher, hub] of this.#hubs) hub.tick(nowMs, measured.get(publisher) ?? NO_MEASUREMENTS)
      if (this.#elapsedMs() >= nextProgressMs) {
        print(progress.line(this.#elapsedMs() / 1_000))
        nextProgressMs += progressMs
      }
      // Being stopped ends the pause.
      await sleep(TICK_MS, undefined, { signal: stop }).catch(() => {})
      if (this.#refusal) throw this.#refusal
    }
    this.#stopMeasuring()
  }

  async drain(): Promise<RunResult> {
    const { drainSeconds } = this.#options
    const beganMs = performance.now()
    const drainedSeconds = () => (performance.now() - beganMs) / 1_000
    for (const hub of this.#hubs.values()) hub.startDraining()
    while (this.#buffered() > 0 && drainedSeconds() < drainSeconds && !this.#refusal) {
      await sleep(DRAIN_TICK_MS)
      const nowMs = this.#startMs + this.#elapsedMs()
      for (const hub of this.#hubs.values()) hub.tick(nowMs, NO_MEASUREMENTS)
    }
    if (this.#refusal) throw this.#refusal
    return {
      counts: this.#counts,
      faultCounts: this.#faultCounts,
      hubs: this.#hubs.size,
      seconds: this.#seconds,
      cpuSeconds: this.#cpuSeconds,
      drainSeconds: drainedSeconds(),
      undelivered: this.#buffered(),
    }
  }

  async end(): Promise<void> {
    await Promise.all([...this.#hubs.values()].map((hub) => hub.end()))
  }

  #makeHub(publisher: PublisherName, index: number): Hub {
    const { fleet, loraFormat = 'both', secrets, seed, rates, limits, openLink, ledger, url } = this.#options
    return new Hub({
      publisher,
      loraFormat: loraFormatOf(fleet, publisher, loraFormat),
      secret: secrets.get(publisher) ?? '',
      seed,
      rates,
      limits,
      openLink,
      ledger,
      counts: this.#counts,
      faultCounts: this.#faultCounts,
      startMs: this.#startMs,
      connectAtMs: this.#startMs + (index * 1_000) / CONNECTS_PER_SECOND,
      onRefused: (username, reason) => {
        this.#refusal ??= contactError({ kind: 'refused', reason }, username, url)
      },
    })
  }

  #elapsedMs(): number {
    return performance.now() - this.#beganMs
  }

  #buffered(): number {
    return sum(this.#hubs.values().map((hub) => hub.buffered))
  }

  #stopMeasuring(): void {
    const { user, system } = process.cpuUsage(this.#beganCpu)
    this.#counts.stopMeasuring()
    this.#seconds = this.#elapsedMs() / 1_000
    this.#cpuSeconds = (user + system) / 1e6
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}
