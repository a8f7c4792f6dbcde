import { setTimeout as sleep } from 'node:timers/promises'
import { generateFleet } from '../../simulators/fleets/generate-fleet.ts'
import { readFleetPlan } from '../../simulators/fleets/read-fleet.ts'
import { mqttLinks } from '../../simulators/hub/mqtt-link.ts'
import { RunCounts } from '../../simulators/hub/run-counts.ts'
import { Ledger } from '../../simulators/ledger/ledger.ts'
import { devicesOf, publishersOf } from '../../simulators/publishers.ts'
import type { FleetPlan } from '../../simulators/types.ts'
import { type Books, databaseNowMs } from '../../simulators/verify/verify.ts'
import { untilServerAnswers } from '../testing/postgres.ts'
import { checkPoint, imbalanceOf } from './check-point.ts'
import { type FaultBooks, inject, openFaultBooks } from './inject.ts'
import { PublishTally } from './publish-tally.ts'
import { formatFaults, type Step } from './schedule.ts'
import { openStack, type Stack } from './stack.ts'
import { Traffic } from './traffic.ts'

export interface SoakOptions {
  seed: number
  hubs: number
  /** The next step, or undefined for the end; told how many kills there were. */
  nextStep: (kills: number) => Step | undefined
  /** Faults between two check points. */
  checkEvery: number
  print: (line: string) => void
}

export interface SoakResult {
  /** Of the last check point. */
  books: Books | undefined
  faults: FaultBooks
  /** Publishes and PUBACKs. */
  messages: { attempted: number; acknowledged: number }
  checkPoints: number
  starts: number
  failedStarts: number
  /** Log-ins with the right secret that were refused. */
  refused: number
  seconds: number
  /** Sentences; with any of them the guarantees do not hold. */
  problems: string[]
  /** Where everything is kept after a problem. */
  folder: string | undefined
}

const SENSORS_PER_HUB = 50
const INTERVAL_SECONDS = 1

/** Runs the schedule against a stack of its own, until its end or the first check point with a problem. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const file = generateFleet({
    hubs: options.hubs,
    sensorsPerHub: SENSORS_PER_HUB,
    intervalSeconds: INTERVAL_SECONDS,
    seed: options.seed,
  })
  const stack = await openStack(file)
  const run = new Soak(options, stack, readFleetPlan(file))
  let keep = true
  try {
    await run.open()
    await run.run()
    keep = run.problems.length > 0
  } catch (error) {
    run.problems.push(error instanceof Error ? error.message : String(error))
  } finally {
    await run.end()
    await stack.close({ keep })
  }
  return run.result(keep ? stack.folder : undefined)
}

class Soak {
  readonly problems: string[] = []
  readonly #options: SoakOptions
  readonly #stack: Stack
  readonly #fleet: FleetPlan
  readonly #faults = openFaultBooks()
  readonly #counts = new RunCounts()
  readonly #tally = new PublishTally()
  readonly #beganMs = performance.now()
  #ledger: Ledger | undefined
  #traffic: Traffic | undefined
  #books: Books | undefined
  #checkPoints = 0
  #refused = 0

  constructor(options: SoakOptions, stack: Stack, fleet: FleetPlan) {
    this.#options = options
    this.#stack = stack
    this.#fleet = fleet
  }

  async open(): Promise<void> {
    const { postgres, service } = this.#stack
    this.#ledger = new Ledger({
      organization: this.#fleet.organization,
      devices: devicesOf(this.#fleet),
      clients: publishersOf(this.#fleet),
      startedAtMs: await databaseNowMs(postgres.url),
    })
    service.start()
    await service.ready()
  }

  async run(): Promise<void> {
    const { nextStep, checkEvery } = this.#options
    let sinceCheck = 0
    let step = nextStep(this.kills)
    while (step && this.problems.length === 0) {
      await this.#step(step)
      sinceCheck += step.faults.length
      step = nextStep(this.kills)
      if (step && sinceCheck < checkEvery) continue
      sinceCheck = 0
      await this.#check()
    }
  }

  /** kill -9 of either. */
  get kills(): number {
    return this.#faults.kills.service + this.#faults.kills.postgres
  }

  async end(): Promise<void> {
    await this.#traffic?.end()
  }

  result(folder: string | undefined): SoakResult {
    const { starts, failedStarts } = this.#stack.service
    return {
      books: this.#books,
      faults: this.#faults,
      messages: { attempted: this.#counts.publishes, acknowledged: this.#counts.acknowledged },
      checkPoints: this.#checkPoints,
      starts,
      failedStarts,
      refused: this.#refused,
      seconds: this.#seconds(),
      problems: this.problems,
      folder,
    }
  }

  async #step(step: Step): Promise<void> {
    const { service } = this.#stack
    this.#traffic ??= this.#startTraffic(step)
    if (step.waitsForService) await service.ready()
    await sleep(step.pauseMs)
    const metrics = await service.metrics()
    if (metrics) this.problems.push(...imbalanceOf(metrics))
    this.#print(`${step.position}: ${formatFaults(step)}`)
    await Promise.all(step.faults.map((fault) => inject(this.#stack, fault, this.#faults)))
  }

  async #check(): Promise<void> {
    const traffic = this.#traffic
    const ledger = this.#ledger
    if (!traffic || !ledger) return
    const beganMs = performance.now()
    await untilServerAnswers(this.#stack.postgres.url)
    const { books, problems } = await checkPoint({
      stack: this.#stack,
      traffic,
      ledger,
      tally: this.#tally,
    })
    this.#traffic = undefined
    this.#books = books
    this.#checkPoints += 1
    this.problems.push(...problems)
    this.problems.push(...this.#stack.service.crashes.splice(0).map((crash) => `The service: ${crash}.`))
    const { published = 0, acknowledged = 0 } = books?.readings ?? {}
    this.#print(
      `check point ${this.#checkPoints}, ${((performance.now() - beganMs) / 1_000).toFixed(1)} s: ` +
        `${published} readings sent, ${acknowledged} acknowledged, ` +
        `${this.problems.length === 0 ? 'all well' : `${this.problems.length} PROBLEMS`}`,
    )
  }

  #startTraffic({ position }: Step): Traffic {
    const { seed } = this.#options
    if (!this.#ledger) throw new Error('The soak is not open.')
    return new Traffic({
      fleet: this.#fleet,
      secrets: this.#stack.secrets,
      seed: (seed + position) % 2 ** 32,
      openLink: this.#tally.counting(mqttLinks(`mqtt://127.0.0.1:${this.#stack.hubProxy.port}`)),
      ledger: this.#ledger,
      counts: this.#counts,
      onRefused: (sentence) => {
        this.#refused += 1
        this.#print(`refused: ${sentence}`)
      },
    })
  }

  #print(line: string): void {
    this.#options.print(`${this.#seconds().toFixed(1)} s, ${this.kills} kills, ${line}`)
  }

  #seconds(): number {
    return (performance.now() - this.#beganMs) / 1_000
  }
}
