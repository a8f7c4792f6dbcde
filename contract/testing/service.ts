import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MqttClient } from 'mqtt'
import { type Logger, pino } from 'pino'
import { closeAll, connectClient } from '../../broker/testing.ts'
import { createDatabase, type Database } from '../../db/client.ts'
import { applyFleet } from '../../db/fleet/apply.ts'
import { parseFleet } from '../../db/fleet/parse.ts'
import { TEST_HASH_COST } from '../../db/testing/fleet.ts'
import { createTestDatabase, type TestDatabase } from '../../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../../db/testing/test-folder.ts'
import { readServiceSettings, type Service, startService } from '../../service/service.ts'
import { acmeFleet, type FleetFile, rivalFleet } from './fleet.ts'
import { readMetric } from './status-page.ts'

export interface TestServiceOptions {
  /** Settings beside those of the database and the ports, as in the environment. */
  env?: Record<string, string>
  /** Instead of a database of the test run's server: one that can be stopped. */
  databaseUrl?: string
}

/** Hubs, devices and network servers by name, operators by the slug of their organization. */
interface Secrets {
  hubs: Record<string, string>
  devices: Record<string, string>
  network_servers: Record<string, string>
  operators: Record<string, string>
}

interface LogLine {
  level: number
  msg: string
  [field: string]: unknown
}

/** Starts the service on a database of its own with both fleets applied. */
export async function startTestService(options: TestServiceOptions = {}): Promise<TestService> {
  const database = options.databaseUrl === undefined ? await createTestDatabase() : undefined
  const service = new TestService({
    url: database?.url ?? options.databaseUrl ?? '',
    database,
    env: options.env ?? {},
    folder: await makeTestFolder(),
  })
  await service.applyFleet(acmeFleet())
  await service.applyFleet(rivalFleet())
  await service.start()
  return service
}

/** The running service and what a test needs to look at it from outside: its database, its addresses, its log. */
class TestService {
  readonly url: string
  readonly db: Database
  /** What the service logged, newest last. */
  readonly logged: LogLine[] = []
  readonly secrets: Secrets = { hubs: {}, devices: {}, network_servers: {}, operators: {} }
  readonly #database: TestDatabase | undefined
  readonly #env: Record<string, string>
  readonly #folder: string
  #service: Service | undefined

  constructor(parts: {
    url: string
    database: TestDatabase | undefined
    env: Record<string, string>
    folder: string
  }) {
    this.url = parts.url
    this.#database = parts.database
    this.#env = parts.env
    this.#folder = parts.folder
    this.db = openDatabase(parts.url)
  }

  /** With settings for this time, as in the environment. */
  async start(env: Record<string, string> = {}): Promise<void> {
    const settings = readServiceSettings({
      DATABASE_URL: this.url,
      DATA_DIR: join(this.#folder, 'data'),
      MQTT_PORT: '0',
      MQTT_TLS_PORT: '0',
      HTTP_PORT: '0',
      // What is acknowledged is in the database, on a busy machine too: nothing is spooled unless a test says so.
      INGEST_HOLD_MS: '60000',
      ...this.#env,
      ...env,
    })
    this.#service = await startService(settings, recordingLog(this.logged))
  }

  async stop(): Promise<void> {
    const service = this.#service
    this.#service = undefined
    await service?.stop()
  }

  /** Ends everything that the test opened. */
  async close(): Promise<void> {
    await closeAll()
    await this.stop()
    await this.db.$client.end()
    await this.#database?.drop()
    await removeTestFolder(this.#folder)
  }

  address(name: 'mqtt' | 'tls' | 'webSocket' | 'console'): string {
    const address = this.#service?.addresses[name]
    if (address === undefined) throw new Error(`The service does not listen for ${name}`)
    return address
  }

  get mqttPort(): number {
    return Number(new URL(this.address('mqtt')).port)
  }

  /** What `npm run fleet:apply` does, in this process; returns when it has returned. */
  async applyFleet(fleet: FleetFile, options: { prune?: boolean; rotate?: string[] } = {}): Promise<void> {
    const { slug } = fleet.organization
    const credentialsPath = join(this.#folder, `${slug}.json`)
    await applyFleet(this.db, parseFleet(JSON.stringify(fleet), `${slug}.json`), {
      source: `${slug}.json`,
      credentialsPath,
      prune: options.prune ?? false,
      rotate: options.rotate ?? [],
      dryRun: false,
      now: new Date(),
      hashCost: TEST_HASH_COST,
    })
    const { hubs, devices, network_servers, operator } = JSON.parse(await readFile(credentialsPath, 'utf8'))
    Object.assign(this.secrets.hubs, hubs)
    Object.assign(this.secrets.devices, devices)
    Object.assign(this.secrets.network_servers, network_servers)
    this.secrets.operators[slug] = operator
  }

  /** The secret that `fleet:apply` wrote for a username. */
  secretOf(username: string): string {
    const [prefix, name = ''] = username.includes(':') ? username.split(':', 2) : ['hub', username]
    const { hubs, devices, network_servers, operators } = this.secrets
    const section = { hub: hubs, device: devices, ns: network_servers, operator: operators }[prefix ?? '']
    const secret = section?.[name]
    if (secret === undefined) throw new Error(`fleet:apply has written no secret for ${username}`)
    return secret
  }

  /** An MQTT.js client that has logged in and does not reconnect. */
  connect(username: string, options: Parameters<typeof connectClient>[1] = {}): Promise<MqttClient> {
    return connectClient(this.mqttPort, { username, password: this.secretOf(username), ...options })
  }

  async query<Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.db.$client.query<Row>(sql, values)).rows
  }

  async get(path: string, init?: RequestInit): Promise<Response> {
    return fetch(new URL(path, this.address('console')), init)
  }

  /** The present value of a metric; see `sampleOf`. */
  metric(name: string): Promise<number> {
    return readMetric(this, name)
  }
}

export type { TestService }

function openDatabase(url: string): Database {
  return createDatabase({
    url,
    poolMax: 4,
    statementTimeoutMs: 30_000,
    connectTimeoutMs: 10_000,
    applicationName: 'contract test',
    onIdleError: () => {},
  })
}

function recordingLog(lines: LogLine[]): Logger {
  return pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
}
