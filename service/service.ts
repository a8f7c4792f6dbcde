import { join } from 'node:path'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { collectDefaultMetrics, Registry as MetricsRegistry } from 'prom-client'
import type { z } from 'zod'
import { type Broker, createBroker } from '../broker/broker.ts'
import { brokerSettings, checkBrokerSettings } from '../broker/config.ts'
import { publishRoute } from '../broker/topics.ts'
import { consoleSettings } from '../console/config.ts'
import { openConsole } from '../console/console.ts'
import { createDatabase } from '../db/client.ts'
import { databaseSettings } from '../db/config.ts'
import type { DatabaseServer } from '../db/database-server.ts'
import { keepPartitions } from '../db/partition-keeper.ts'
import { pagingSettings } from '../evaluator/paging/config.ts'
import { evaluatorSettings } from '../evaluator/settings.ts'
import { checkIngestSettings, ingestSettings } from '../ingest/config.ts'
import { Ingest } from '../ingest/ingest.ts'
import { readSources, type SourceConfig } from '../ingest/sources/source-file.ts'
import { Sources } from '../ingest/sources/sources.ts'
import { openSpool } from '../ingest/spool/spool.ts'
import type { Spool } from '../ingest/spool/types.ts'
import { within } from '../ingest/within.ts'
import { logSettings, parseSettings } from '../settings.ts'
import { brokerId } from './broker-id.ts'
import { type Evaluation, openEvaluation } from './evaluation.ts'
import { registerServiceMetrics } from './metrics.ts'
import { notReady } from './readiness.ts'
import { findDatabase, snapshotPlace, untilDatabaseIsBack } from './start-database.ts'
import { statusOf } from './status.ts'

const settingsShape = {
  ...databaseSettings,
  ...brokerSettings,
  ...ingestSettings,
  ...evaluatorSettings,
  ...pagingSettings,
  ...consoleSettings,
  ...logSettings,
}
export type ServiceSettings = z.output<z.ZodObject<typeof settingsShape>>

/** The names of all settings. */
export function settingNames(): string[] {
  return Object.keys(settingsShape)
}

/** The settings of `npm start`. Throws a `SettingsError` that names each bad one. */
export function readServiceSettings(env: NodeJS.ProcessEnv): ServiceSettings {
  const settings = parseSettings(settingsShape, env)
  checkBrokerSettings(settings)
  checkIngestSettings(settings)
  return settings
}

export interface Service {
  /** Where everything listens: name → URL or address. */
  addresses: Record<string, string>
  /** Whether the database was away at the start: messages go to the spool until it is back. */
  startedAway: boolean
  /** Resolves when the service has its database, or stops. Rejects when it can not go on with the one that came back. */
  databaseOpened: Promise<void>
  stop(): Promise<void>
}

/** One message at a time, and its sign of life. */
const PUBLISHER_CONNECTIONS = 2
/** A pool ends when its last query does; behind a database that hangs, that is not waited for. */
const POOL_END_MS = 1_000
/** The same for opening a database that was away. */
const STOP_OPENING_MS = 2_000
const HOUR_MS = 3_600_000

type Stops = (() => Promise<unknown>)[]
/** The part of a start that needs the database; nothing more is begun when the signal is aborted. */
type GoOn = (server: DatabaseServer, signal?: AbortSignal) => Promise<void>

/** The parts that can be opened without the database; they connect to it when they are used. */
interface Parts {
  ingest: Ingest
  broker: Broker
  spool: Spool
  sources: Sources
  metrics: MetricsRegistry
  evaluation: Evaluation
}

/**
 * Starts ingest, evaluator, broker and console on the database, in this order; a part that fails stops those before it. Where the
 * database is away and the service has served before, they start with what was last known, and go on with the database
 * when it is back. `stop` runs the other way round: no more intake, what is held is committed and acknowledged, then all
 * closes.
 */
export async function startService(settings: ServiceSettings, log: Logger): Promise<Service> {
  const stops: Stops = []
  let stopped: Promise<void> | undefined
  // Whoever stops it a second time waits for the first.
  const stop = () => {
    stopped ??= stopAll(stops)
    return stopped
  }
  try {
    return { ...(await start(settings, log, stops)), stop }
  } catch (error) {
    await stop().catch((stopError: unknown) => log.error({ err: stopError }, 'stopping after a failed start'))
    throw error
  }
}

async function stopAll(stops: Stops): Promise<void> {
  const errors: unknown[] = []
  for (const end of stops.reverse().splice(0)) await end().catch((error: unknown) => errors.push(error))
  if (errors.length > 0) throw new AggregateError(errors, 'The service did not stop cleanly.')
}

async function start(settings: ServiceSettings, log: Logger, stops: Stops): Promise<Omit<Service, 'stop'>> {
  const sources = settings.INGEST_SOURCES_FILE === undefined ? [] : readSources(settings.INGEST_SOURCES_FILE)
  const { server, away } = await findDatabase(settings, log)
  if (server) stops.push(() => server.release())
  const url = server?.url ?? settings.DATABASE_URL ?? ''
  let partitions: ReturnType<typeof keepPartitions> | undefined
  // Whenever it has begun, it ends when intake and what is held have.
  stops.push(async () => partitions?.stop())
  const parts = await openParts(settings, log, { url, sources, stops })
  const goOn: GoOn = async ({ directUrl }, signal) => {
    await parts.ingest.start()
    if (signal?.aborted) return
    parts.evaluation.start()
    partitions = keepPartitions(directUrl, log)
  }
  if (server) await goOn(server)
  else parts.ingest.startAway(away)
  const addresses = await listen(settings, parts, stops)
  return {
    addresses: { database: url, ...addresses },
    startedAway: away !== undefined,
    databaseOpened: away
      ? goOnWhenBack(settings, log, { ...parts, ...away, goOn, stops })
      : Promise.resolve(),
  }
}

function goOnWhenBack(
  settings: ServiceSettings,
  log: Logger,
  on: { ingest: Ingest; reason: string; goOn: GoOn; stops: Stops },
): Promise<void> {
  const stopping = new AbortController()
  const { signal } = stopping
  const onAway = (reason: string) => on.ingest.noteAway(reason)
  const goOn = (server: DatabaseServer) => on.goOn(server, signal)
  const back = untilDatabaseIsBack({ settings, log, reason: on.reason, goOn, onAway, signal })
  back.catch((error: Error) => {
    onAway(error.message)
    log.fatal(`it cannot go on with its database; what was acknowledged stays in the spool: ${error.message}`)
  })
  on.stops.push(async () => {
    stopping.abort()
    await within(
      STOP_OPENING_MS,
      back.catch(() => undefined),
    )
  })
  return back
}

async function openParts(
  settings: ServiceSettings,
  log: Logger,
  { url, sources: configs, stops }: { url: string; sources: readonly SourceConfig[]; stops: Stops },
): Promise<Parts> {
  const pool = openPool(settings, log, { url, connections: settings.DATABASE_POOL_MAX })
  stops.push(() => within(POOL_END_MS, pool.end()))
  const copyPool = openPool(settings, log, { url, connections: settings.INGEST_LANES + 1, keepIdle: true })
  stops.push(() => within(POOL_END_MS, copyPool.end()))
  const publisherPool = openPool(settings, log, { url, connections: PUBLISHER_CONNECTIONS })
  stops.push(() => within(POOL_END_MS, publisherPool.end()))

  const spool = await openSpool({
    folder: join(settings.DATA_DIR, 'spool'),
    bytesMax: settings.SPOOL_BYTES_MAX,
    ageMaxMs: settings.SPOOL_AGE_MAX_HOURS * HOUR_MS,
    now: Date.now,
    log,
  })
  stops.push(() => spool.close())
  const metrics = new MetricsRegistry()
  collectDefaultMetrics({ register: metrics })
  let broker: Broker | undefined
  const evaluation = openEvaluation({
    url,
    brokerId: await brokerId(settings.DATA_DIR),
    pool: publisherPool,
    log,
    metrics,
    settings,
    publish: async (message) => broker?.publish(message),
  })
  // Its thread lives from now on, whatever fails below; a second stop finds nothing to do.
  stops.push(() => evaluation.stop())
  let sources: Sources | undefined
  const ingest = new Ingest({
    pool,
    copyPool,
    spool,
    snapshot: snapshotPlace(settings),
    routeOf: publishRoute,
    log,
    settings,
    metrics,
    publish: async (message) => broker?.publish(message),
    onCommitted: evaluation.committed,
    onLogInsChanged: (stillValid) => {
      broker?.disconnectWhere((principal) => !stillValid(principal))
      sources?.checkSpeakers()
    },
  })
  broker = await createBroker({
    settings,
    log,
    accept: ingest.accept,
    authenticate: ingest.authenticate,
    stillValid: (principal) => ingest.registry.stillValid(principal),
    presence: ingest.presence,
    onAcknowledged: (afterMs) => ingest.acknowledged(afterMs),
  })
  sources = new Sources({
    configs,
    accept: ingest.accept,
    routeOf: publishRoute,
    registry: ingest.registry,
    heldBytesMax: settings.INGEST_SOURCES_HELD_BYTES_MAX,
    messageBytesMax: settings.MQTT_MESSAGE_BYTES_MAX,
    onAcknowledged: (afterMs) => ingest.acknowledged(afterMs),
    log,
    metrics,
  })
  const opened = { broker, sources }
  stops.push(() => Promise.all([opened.broker.close(), opened.sources.close()]))
  stops.push(() => evaluation.stop())
  stops.push(() => ingest.stop())
  stops.push(async () => {
    opened.broker.stopIntake()
    opened.sources.stopIntake()
  })
  return { ingest, ...opened, spool, metrics, evaluation }
}

/** Lets hubs and operators in; returns where, by name. */
async function listen(
  settings: ServiceSettings,
  { ingest, broker, spool, sources, metrics, evaluation }: Parts,
  stops: Stops,
): Promise<Record<string, string>> {
  const mqtt = await broker.listen()
  sources.start()
  registerServiceMetrics(metrics, { broker, ingest, spool, sources })
  const operators = await openConsole({
    host: settings.HTTP_HOST,
    port: settings.HTTP_PORT,
    portSetting: 'HTTP_PORT',
    metrics,
    notReady: () => notReady(settings, { ingest, spool }),
    // Hubs are served all the same: neither a broker of others nor a unit that cannot be judged must keep them away.
    notices: () => [...sources.away(), ...evaluation.notices()],
    status: () => statusOf(broker, ingest, spool),
  })
  stops.push(() => operators.close())
  return {
    mqtt: `mqtt://${hostPort(mqtt.mqtt)}`,
    ...(mqtt.tls ? { tls: `mqtts://${hostPort(mqtt.tls)}` } : {}),
    ...(mqtt.ws ? { webSocket: `ws://${hostPort(mqtt.ws)}/mqtt` } : {}),
    console: operators.url,
  }
}

function hostPort({ host, port }: { host: string; port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function openPool(
  settings: ServiceSettings,
  log: Logger,
  { url, connections, keepIdle = false }: { url: string; connections: number; keepIdle?: boolean },
): Pool {
  return createDatabase({
    url,
    poolMax: connections,
    keepIdle,
    statementTimeoutMs: settings.DATABASE_STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: settings.DATABASE_CONNECT_TIMEOUT_MS,
    applicationName: 'frostguard ingest',
    onIdleError: (error) => log.warn({ err: error }, 'a database connection was lost'),
  }).$client
}
