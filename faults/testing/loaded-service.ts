import { join } from 'node:path'
import { Pool } from 'pg'
import { expect } from 'vitest'
import { type ServiceProcess, startProcess } from '../../contract/testing/process.ts'
import { createTestFleet, type TestFleet } from '../../db/testing/fleet.ts'
import { until } from '../../db/testing/poll.ts'
import { makeTestFolder, removeTestFolder } from '../../db/testing/test-folder.ts'
import { compareStored } from './compare.ts'
import { type Ledger, startPublishers } from './publishers.ts'

export interface LoadedServiceOptions {
  /** Where the service finds its database. */
  databaseUrl: string
  /** Where the test finds it: past proxies and roles that lose their rights. */
  ownerUrl: string
  env?: Record<string, string>
  fleet?: { hubs: number; devices: number }
}

const FLEET = { hubs: 4, devices: 40 }
const READINGS_PER_MESSAGE = 5
const EVERY_MS = 20
const DATA = 'data'
const LOAD_FROM_MS = Date.UTC(2026, 10, 20)
const HOUR_MS = 3_600_000
/** Short, so that short outages reach the spool. */
const HOLD_MS = 300

/** The service in a process of its own, and hubs that publish to it while a test strikes its database. */
export class LoadedService {
  readonly ledger: Ledger = { attempted: new Set(), acknowledged: new Set() }
  readonly fleet: TestFleet
  readonly owner: Pool
  readonly #process: ServiceProcess
  readonly #folder: string
  /** Of the service. */
  readonly dataDir: string
  #loads = 0

  /** By `startLoadedService`. */
  constructor(parts: { fleet: TestFleet; owner: Pool; process: ServiceProcess; folder: string }) {
    this.fleet = parts.fleet
    this.owner = parts.owner
    this.#process = parts.process
    this.#folder = parts.folder
    this.dataDir = join(parts.folder, DATA)
  }

  get mqttPort(): number {
    return Number(new URL(this.#process.printed('MQTT')).port)
  }

  get pid(): number {
    return this.#process.child.pid ?? 0
  }

  get hasEnded(): boolean {
    return this.#process.child.exitCode !== null || this.#process.child.signalCode !== null
  }

  /** Its log and whatever else it has written to standard error. */
  get log(): string {
    return this.#process.stderr
  }

  /** Publishes until it is stopped, which waits for the last PUBACK. */
  load(): { stop(): Promise<void> } {
    this.#loads += 1
    return startPublishers({
      fleet: this.fleet,
      port: () => this.mqttPort,
      readingsPerMessage: READINGS_PER_MESSAGE,
      everyMs: EVERY_MS,
      fromMs: LOAD_FROM_MS + this.#loads * HOUR_MS,
      ledger: this.ledger,
    })
  }

  /** Waits until so many more readings are acknowledged than are now. */
  async acknowledges(more: number): Promise<void> {
    const goal = this.ledger.acknowledged.size + more
    await until(`${more} more readings are acknowledged`, () => this.ledger.acknowledged.size >= goal)
  }

  async readyz(): Promise<string> {
    const response = await fetch(new URL('/readyz', this.#process.printed('Status page')))
    return `${response.status} ${await response.text()}`
  }

  async untilNotReady(reason: RegExp): Promise<void> {
    let last = ''
    await until(`/readyz says ${reason}`, async () => {
      last = await this.readyz()
      return reason.test(last)
    }).catch((error: Error) => {
      throw new Error(`${error.message}; it said last: ${last}`)
    })
  }

  async untilReady(): Promise<void> {
    await until('it is ready', async () => (await this.readyz()) === '200 ready\n')
  }

  /** The present value of a metric. */
  async metric(name: string): Promise<number> {
    const page = await (await fetch(new URL('/metrics', this.#process.printed('Status page')))).text()
    const line = page.split('\n').find((text) => text.startsWith(`${name} `))
    if (line === undefined) throw new Error(`/metrics has no ${name}`)
    return Number(line.slice(name.length + 1))
  }

  /** Waits until it has recovered by itself; then all that was acknowledged must be stored, once, and the books balance. */
  async expectAllStored(): Promise<void> {
    for (const held of ['frostguard_readings_spooled', 'frostguard_readings_in_flight'])
      await until(`${held} is 0`, async () => (await this.metric(held)) === 0)
    await this.untilReady()
    const compared = await compareStored(this.owner, this.ledger)
    expect(compared.acknowledged).toBeGreaterThan(0)
    expect(compared).toMatchObject({ lost: [], neverSent: [], storedTwice: [] })
    expect(compared.readingsInBatches).toBe(compared.stored)
    expect(await this.metric('frostguard_readings_imbalance')).toBe(0)
    expect(await this.metric('frostguard_readings_returned_total')).toBe(0)
    expect(this.hasEnded).toBe(false)
  }

  /** Ends it, without its drain: what is to be checked was checked. */
  async close(): Promise<void> {
    this.#process.signal('SIGKILL')
    await this.#process.ended
    await this.owner.end()
    await removeTestFolder(this.#folder)
  }
}

/** Starts the service with a fleet of its own. */
export async function startLoadedService(options: LoadedServiceOptions): Promise<LoadedService> {
  const owner = new Pool({ connectionString: options.ownerUrl })
  // Connections break here as they do in the service.
  owner.on('error', () => {})
  const fleet = await createTestFleet(owner, {
    slug: 'load',
    euiPrefix: 'a8',
    ...(options.fleet ?? FLEET),
  })
  const folder = await makeTestFolder()
  const process = await startProcess({
    DATABASE_URL: options.databaseUrl,
    DATA_DIR: join(folder, DATA),
    INGEST_HOLD_MS: String(HOLD_MS),
    ...options.env,
  })
  return new LoadedService({ fleet, owner, process, folder })
}
