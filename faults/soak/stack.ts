import { mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createDatabase } from '../../db/client.ts'
import { freePort } from '../../db/embedded/ports.ts'
import { applyFleet } from '../../db/fleet/apply.ts'
import { parseFleet } from '../../db/fleet/parse.ts'
import { startTestServer, type TestServer } from '../../db/testing/test-server.ts'
import type { FleetFile } from '../../simulators/fleets/generate-fleet.ts'
import { readCredentials } from '../../simulators/fleets/read-fleet.ts'
import type { PublisherName } from '../../simulators/types.ts'
import { startTcpProxy, startUrlProxy, type TcpProxy } from '../testing/tcp-proxy.ts'
import { SupervisedService } from './supervised-service.ts'

/** Everything that a soak runs: PostgreSQL ← proxy ← service ← proxy ← hubs. */
export interface Stack {
  postgres: TestServer
  service: SupervisedService
  /** Between service and PostgreSQL. */
  databaseProxy: TcpProxy
  /** Between hubs and service. */
  hubProxy: TcpProxy
  secrets: ReadonlyMap<PublisherName, string>
  /** Logs, DATA_DIR of the service, and, when it is kept, the data of PostgreSQL. */
  folder: string
  /** Ends everything; keeps the folder, with PostgreSQL's data in it, or removes it. */
  close(options: { keep: boolean }): Promise<void>
}

/** Short, so that short outages reach the spool too. */
const HOLD_MS = 400

/** Starts a stack in a new folder, with a fleet applied. The service is started by whoever wants it. */
export async function openStack(fleet: FleetFile): Promise<Stack> {
  const folder = await mkdtemp(join(tmpdir(), 'frostguard-soak-'))
  const postgres = await startTestServer({ migrate: true })
  const secrets = await provision(postgres.url, fleet, folder).catch(async (error) => {
    await postgres.remove()
    throw error
  })
  const [mqttPort, httpPort] = [await freePort(), await freePort()]
  const { proxy: databaseProxy, url } = await startUrlProxy(postgres.url)
  const hubProxy = await startTcpProxy({ host: '127.0.0.1', port: mqttPort })
  const env = {
    DATABASE_URL: url,
    DATA_DIR: join(folder, 'data'),
    MQTT_PORT: String(mqttPort),
    HTTP_PORT: String(httpPort),
    INGEST_HOLD_MS: String(HOLD_MS),
  }
  const service = new SupervisedService({ env, httpPort, logPath: join(folder, 'service.log') })
  return {
    postgres,
    service,
    databaseProxy,
    hubProxy,
    secrets,
    folder,
    close: async ({ keep }) => {
      await service.close()
      await hubProxy.close()
      await databaseProxy.close()
      if (keep) await keepData(postgres, folder)
      else await Promise.all([postgres.remove(), rm(folder, { recursive: true, force: true })])
    },
  }
}

/** Out of the tests' folder, which the next run of the tests removes. */
async function keepData(postgres: TestServer, folder: string): Promise<void> {
  await postgres.stop('fast').catch(() => {})
  await rename(dirname(postgres.dataDir), join(folder, 'postgres'))
}

async function provision(
  url: string,
  fleet: FleetFile,
  folder: string,
): Promise<ReadonlyMap<PublisherName, string>> {
  const db = createDatabase({
    url,
    poolMax: 4,
    statementTimeoutMs: 60_000,
    connectTimeoutMs: 10_000,
    applicationName: 'soak',
    onIdleError: () => {},
  })
  const credentialsPath = join(folder, 'credentials.json')
  try {
    await applyFleet(db, parseFleet(JSON.stringify(fleet), 'soak'), {
      source: 'soak',
      credentialsPath,
      prune: false,
      rotate: [],
      dryRun: false,
      now: new Date(),
    })
  } finally {
    await db.$client.end()
  }
  return readCredentials(JSON.parse(await readFile(credentialsPath, 'utf8')))
}
