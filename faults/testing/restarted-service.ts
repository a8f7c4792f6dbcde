import { join } from 'node:path'
import { Pool } from 'pg'
import { type ServiceProcess, startProcess } from '../../contract/testing/process.ts'
import { createTestFleet, type TestFleet } from '../../db/testing/fleet.ts'
import { until } from '../../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../../db/testing/test-folder.ts'
import { type Ledger, startPublishers } from './publishers.ts'
import { compareStored, type StoredDifference } from './stored-readings.ts'

export interface RestartedServiceOptions {
  hubs: number
  readingsPerMessage: number
  everyMs: number
  env?: Record<string, string>
}

/** The service in a process of its own on a database of its own, and hubs that publish to it all the time. */
export async function startRestartedService(options: RestartedServiceOptions): Promise<RestartedService> {
  const database = await createTestDatabase()
  const pool = new Pool({ connectionString: database.url })
  const devices = options.hubs * options.readingsPerMessage
  const fleet = await createTestFleet(pool, { slug: 'loaded', hubs: options.hubs, devices, euiPrefix: 'a8' })
  const loaded = new RestartedService(options, { database, pool, fleet, folder: await makeTestFolder() })
  await loaded.start()
  loaded.publish()
  return loaded
}

class RestartedService {
  readonly ledger: Ledger = { attempted: new Set(), acknowledged: new Set() }
  readonly fleet: TestFleet
  readonly pool: Pool
  readonly #options: RestartedServiceOptions
  readonly #database: TestDatabase
  readonly #folder: string
  #process: ServiceProcess | undefined
  #publishers: ReturnType<typeof startPublishers> | undefined

  constructor(
    options: RestartedServiceOptions,
    parts: { database: TestDatabase; pool: Pool; fleet: TestFleet; folder: string },
  ) {
    this.#options = options
    this.#database = parts.database
    this.pool = parts.pool
    this.fleet = parts.fleet
    this.#folder = parts.folder
  }

  get process(): ServiceProcess {
    if (!this.#process) throw new Error('The service has not been started')
    return this.#process
  }

  get port(): number {
    return Number(new URL(this.process.printed('MQTT')).port)
  }

  async start(): Promise<void> {
    const data = { DATABASE_URL: this.#database.url, DATA_DIR: join(this.#folder, 'data') }
    this.#process = await startProcess({ ...data, ...this.#options.env })
  }

  publish(): void {
    const { readingsPerMessage, everyMs } = this.#options
    const { fleet, ledger } = this
    this.#publishers = startPublishers({ fleet, port: () => this.port, readingsPerMessage, everyMs, ledger })
  }

  /** Waits until so many readings more are acknowledged. */
  async untilAcknowledged(count: number): Promise<void> {
    const reached = this.ledger.acknowledged.size + count
    await until(`${count} more are acknowledged`, () => this.ledger.acknowledged.size >= reached)
  }

  async metric(name: string): Promise<number> {
    const page = await (await fetch(new URL('/metrics', this.process.printed('Status page')))).text()
    const line = page.split('\n').find((text) => text.startsWith(`${name} `))
    if (line === undefined) throw new Error(`/metrics has no ${name}`)
    return Number(line.slice(name.length + 1))
  }

  /** Lets all be acknowledged, then all be stored, and compares. */
  async settle(): Promise<StoredDifference> {
    await this.#publishers?.stop()
    await until('what went to the spool is stored', async () => {
      const left = [await this.metric('frostguard_readings_spooled')]
      left.push(await this.metric('frostguard_readings_in_flight'))
      return left.every((count) => count === 0)
    })
    return compareStored(this.pool, this.fleet.organizationId, this.ledger)
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#process?.signal('SIGKILL')
    await this.#process?.ended
    await this.pool.end()
    await this.#database.drop()
    await removeTestFolder(this.#folder)
  }
}

export type { RestartedService }
