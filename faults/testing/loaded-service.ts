import { join } from 'node:path'
import { Pool } from 'pg'
import { expect } from 'vitest'
import { type ServiceProcess, startProcess } from '../../contract/testing/process.ts'
import { readMetric, readReadyz } from '../../contract/testing/status-page.ts'
import { createTestFleet, type TestFleet } from '../../db/testing/fleet.ts'
import { until } from '../../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../../db/testing/test-folder.ts'
import { type Comparison, compareStored, STORED_ONCE } from './compare.ts'
import { type Ledger, type Publishers, startPublishers } from './publishers.ts'
import { untilSettled } from './settled.ts'

export interface LoadedServiceOptions {
  /** Where the service finds its database; without it, it gets one of its own. */
  databaseUrl?: string
  /** Where the test finds it, if not there: past proxies and roles that lose their rights. */
  ownerUrl?: string
  env?: Record<string, string>
  fleet?: { hubs: number; devices: number }
}

const FLEET = { hubs: 4, devices: 40 }
const LOAD = { readingsPerMessage: 5, everyMs: 20 }
const LOAD_FROM_MS = Date.UTC(2026, 10, 20)
const HOUR_MS = 3_600_000

/** With these settings short outages reach the spool. */
export const SHORT_HOLD = { INGEST_HOLD_MS: '300' }

interface Parts {
  env: Record<string, string>
  fleet: TestFleet
  owner: Pool
  folder: string
  database: TestDatabase | undefined
}

/** The service in a process of its own, and hubs that publish to it while a test strikes it or its database. */
export class LoadedService {
  readonly ledger: Ledger = { attempted: new Set(), acknowledged: new Set() }
  readonly fleet: TestFleet
  readonly owner: Pool
  /** Of the service. */
  readonly dataDir: string
  readonly #parts: Parts
  #process: ServiceProcess | undefined
  readonly #loads: Publishers[] = []

  /** By `startLoadedService`. */
  constructor(parts: Parts) {
    this.#parts = parts
    this.fleet = parts.fleet
    this.owner = parts.owner
    this.dataDir = join(parts.folder, 'data')
  }

  /** Starts it, for the first time or once it has ended. */
  async start(): Promise<void> {
    this.#process = await startProcess({ ...this.#parts.env, DATA_DIR: this.dataDir })
  }

  get #running(): ServiceProcess {
    if (!this.#process) throw new Error('The service has not been started')
    return this.#process
  }

  get mqttPort(): number {
    return this.#running.mqttPort
  }

  get pid(): number {
    return this.#running.child.pid ?? 0
  }

  get hasEnded(): boolean {
    const { exitCode, signalCode } = this.#running.child
    return exitCode !== null || signalCode !== null
  }

  signal(name: NodeJS.Signals): void {
    this.#running.signal(name)
  }

  /** Sends a signal; resolves to the exit code, or to the signal that ended it. */
  end(name: 'SIGTERM' | 'SIGKILL'): ServiceProcess['ended'] {
    this.signal(name)
    return this.#running.ended
  }

  /** Publishes until it is stopped, which waits for the last PUBACK. */
  load(options: { readingsPerMessage?: number; everyMs?: number } = {}): Publishers {
    const load = startPublishers({
      ...LOAD,
      ...options,
      fleet: this.fleet,
      port: () => this.mqttPort,
      fromMs: LOAD_FROM_MS + (this.#loads.length + 1) * HOUR_MS,
      ledger: this.ledger,
    })
    this.#loads.push(load)
    return load
  }

  /** Waits until so many more readings are acknowledged than are now. */
  async acknowledges(more: number): Promise<void> {
    const goal = this.ledger.acknowledged.size + more
    await until(`${more} more readings are acknowledged`, () => this.ledger.acknowledged.size >= goal)
  }

  get(path: string): Promise<Response> {
    return this.#running.get(path)
  }

  /** The present value of a metric; see `sampleOf`. */
  metric(name: string): Promise<number> {
    return readMetric(this, name)
  }

  async untilNotReady(reason: RegExp): Promise<void> {
    let last = ''
    await until(`/readyz says ${reason}`, async () => {
      last = await readReadyz(this)
      return reason.test(last)
    }).catch((error: Error) => {
      throw new Error(`${error.message}; it said last: ${last}`)
    })
  }

  compare(): Promise<Comparison> {
    return compareStored(this.owner, this.fleet, this.ledger)
  }

  /** Waits until it has recovered by itself; then all that was acknowledged must be stored, once, and the books balance. */
  async expectAllStored(): Promise<void> {
    await untilSettled(this)
    const compared = await this.compare()
    expect(compared.acknowledged).toBeGreaterThan(0)
    expect(compared).toMatchObject(STORED_ONCE)
    expect(compared.readingsInBatches).toBe(compared.stored)
    expect(await this.metric('frostguard_readings_returned_total')).toBe(0)
    expect(this.hasEnded).toBe(false)
  }

  /** Ends it, without its drain: what is to be checked was checked. */
  async close(): Promise<void> {
    for (const load of this.#loads) load.breakOff()
    await this.end('SIGKILL')
    await this.owner.end()
    await this.#parts.database?.drop()
    await removeTestFolder(this.#parts.folder)
  }
}

/** Starts the service with a fleet of its own. */
export async function startLoadedService(options: LoadedServiceOptions = {}): Promise<LoadedService> {
  const database = options.databaseUrl === undefined ? await createTestDatabase() : undefined
  const databaseUrl = options.databaseUrl ?? database?.url ?? ''
  const owner = new Pool({ connectionString: options.ownerUrl ?? databaseUrl })
  // Connections break here as they do in the service.
  owner.on('error', () => {})
  const service = new LoadedService({
    env: { ...options.env, DATABASE_URL: databaseUrl },
    fleet: await createTestFleet(owner, { slug: 'load', euiPrefix: 'a8', ...(options.fleet ?? FLEET) }),
    owner,
    folder: await makeTestFolder(),
    database,
  })
  await service.start()
  return service
}
