import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type ServiceProcess, startProcess } from '../../contract/testing/process.ts'
import { readMetric, readReadyz } from '../../contract/testing/status-page.ts'
import { until } from '../../db/testing/poll.ts'
import { makeTestFolder, removeTestFolder } from '../../db/testing/test-folder.ts'
import { type Mosquitto, startMosquitto } from '../../ingest/sources/testing/mosquitto.ts'
import { type LoadedService, type LoadedServiceOptions, startLoadedService } from './loaded-service.ts'
import { type Publishers, startPublishers } from './publishers.ts'

const LOAD_FROM_MS = Date.UTC(2026, 10, 20)
const HOUR_MS = 3_600_000
const SOURCE = { key: 'mosquitto', kind: 'frostguard' }
const SHARE_GROUP = 'test'

interface Parts {
  mosquitto: Mosquitto
  service: LoadedService
  folder: string
  databaseUrl: string | undefined
  env: Record<string, string>
}

export type ThroughMosquittoOptions = Omit<LoadedServiceOptions, 'env'> & {
  env?: Record<string, string>
  isShared?: boolean
}

/** Hubs that publish to a Mosquitto, and the service that reads from it, in a process of its own. */
export class ThroughMosquitto {
  readonly mosquitto: Mosquitto
  readonly service: LoadedService
  readonly #parts: Parts
  readonly #others: ServiceProcess[] = []
  readonly #loads: Publishers[] = []

  /** By `startThroughMosquitto`. */
  constructor(parts: Parts) {
    this.mosquitto = parts.mosquitto
    this.service = parts.service
    this.#parts = parts
  }

  /** Publishes until it is stopped, which waits for Mosquitto's last PUBACK. */
  load(options: { readingsPerMessage: number; everyMs: number }): Publishers {
    const load = startPublishers({
      ...options,
      fleet: this.service.fleet,
      port: () => this.mosquitto.port,
      fromMs: LOAD_FROM_MS + (this.#loads.length + 1) * HOUR_MS,
      ledger: this.service.ledger,
    })
    this.#loads.push(load)
    return load
  }

  /** Starts another process that reads from the same share group into the same database. */
  async startAnother(): Promise<ServiceProcess> {
    const number = this.#others.length + 2
    const process = await startProcess({
      ...this.#parts.env,
      DATABASE_URL: this.#parts.databaseUrl ?? '',
      DATA_DIR: join(this.#parts.folder, `data-${number}`),
      INGEST_SOURCES_FILE: await writeSources(this.#parts.folder, this.mosquitto, number),
    })
    this.#others.push(process)
    await until('it reads', async () => (await readReadyz(process)) === '200 ready\n')
    return process
  }

  /** What a metric of the source is now. */
  sourceMetric(name: string, of: Pick<LoadedService, 'get'> = this.service): Promise<number> {
    return readMetric(of, `frostguard_source_${name}{source="${SOURCE.key}"}`)
  }

  /** Waits until the service reads: from then on Mosquitto keeps what comes while it is away. */
  async connected(): Promise<void> {
    await until('the source is connected', async () => (await this.sourceMetric('connected')) === 1)
  }

  /** All that Mosquitto has acknowledged must be stored in the end, once, and the books balance. */
  async expectAllStored(): Promise<void> {
    await until('all is stored', async () => (await this.service.compare()).lost.length === 0)
    await this.service.expectAllStored()
    await until('all is acknowledged', async () => (await this.sourceMetric('messages_in_flight')) === 0)
    expect(await this.service.metric('frostguard_sources_held_bytes')).toBe(0)
  }

  async close(): Promise<void> {
    for (const load of this.#loads) load.breakOff()
    for (const { child, ended } of this.#others) {
      child.kill('SIGKILL')
      await ended
    }
    await this.service.close()
    await this.mosquitto.remove()
    await removeTestFolder(this.#parts.folder)
  }
}

export async function startThroughMosquitto(
  options: ThroughMosquittoOptions = {},
): Promise<ThroughMosquitto> {
  const { isShared = false, env = {}, ...rest } = options
  const folder = await makeTestFolder()
  const mosquitto = await startMosquitto()
  const path = await writeSources(folder, mosquitto, isShared ? 1 : undefined)
  const service = await startLoadedService({ ...rest, env: { ...env, INGEST_SOURCES_FILE: path } })
  const through = new ThroughMosquitto({ mosquitto, service, folder, databaseUrl: rest.databaseUrl, env })
  await through.connected()
  return through
}

/** The sources of one process; with a number, it shares them with others. */
async function writeSources(folder: string, { url }: Mosquitto, number: number | undefined): Promise<string> {
  const shared = { share_group: SHARE_GROUP, client_id: `frostguard-${number}` }
  const source = { ...SOURCE, url, ...(number === undefined ? {} : shared) }
  const path = join(folder, `sources-${number ?? 0}.json`)
  await writeFile(path, JSON.stringify({ sources: [source] }))
  return path
}
