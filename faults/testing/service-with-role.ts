import { startTestServer } from '../../db/testing/test-server.ts'
import { type LoadedService, SHORT_HOLD, startLoadedService } from './loaded-service.ts'
import { onServer } from './postgres.ts'

export const ROLE = 'ingest'

/** A loaded service that writes as a role of few rights, on a server with few connections. */
export interface ServiceWithRole {
  service: LoadedService
  /** The server's URL for another role. */
  urlOf(username: string, password: string): string
  asOwner(...statements: string[]): Promise<void>
  close(): Promise<void>
}

export async function startServiceWithRole(): Promise<ServiceWithRole> {
  const server = await startTestServer({
    migrate: true,
    parameters: { max_connections: '24', superuser_reserved_connections: '6' },
  })
  const asOwner = (...statements: string[]) =>
    onServer(server.url, async (client) => {
      for (const sql of statements) await client.query(sql)
    })
  const urlOf = (username: string, password: string) => {
    const url = new URL(server.url)
    url.username = username
    url.password = password
    return url.href
  }
  await asOwner(
    `CREATE ROLE ${ROLE} LOGIN PASSWORD 'first'`,
    ...['public', 'pipeline'].flatMap((schema) => [
      `GRANT USAGE ON SCHEMA ${schema} TO ${ROLE}`,
      `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${ROLE}`,
      `GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${schema} TO ${ROLE}`,
    ]),
  )
  const service = await startLoadedService({
    databaseUrl: urlOf(ROLE, 'first'),
    ownerUrl: server.url,
    // One lane: then one connection of its own is enough to go on.
    env: { ...SHORT_HOLD, DATABASE_DIRECT_URL: server.url, INGEST_LANES: '1' },
  })
  return {
    service,
    urlOf,
    asOwner,
    close: async () => {
      await service.close()
      await server.remove()
    },
  }
}
