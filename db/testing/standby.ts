import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readConnection, writeConnection } from '../embedded/connection-file.ts'
import { freePort } from '../embedded/ports.ts'
import { makeTestFolder } from './test-folder.ts'
import { openTestServer, type TestServer } from './test-server.ts'

const run = promisify(execFile)

/**
 * Starts a hot standby that streams from a server, which is stopped for a moment to be copied (the embedded programs
 * have no pg_basebackup). `fromPort` is where the standby finds it, for example a proxy.
 */
export async function startStandby(primary: TestServer, fromPort: number): Promise<TestServer> {
  const folder = await makeTestFolder()
  const dataDir = join(folder, 'data')
  await mkdir(dataDir)
  await primary.stop('fast')
  // With its owner, who is another user where we are root.
  await run('cp', ['-a', join(primary.dataDir, 'postgres'), dataDir])
  const connection = await readConnection(join(primary.dataDir, 'postgres.json'))
  await primary.start()
  if (!connection) throw new Error(`${primary.dataDir} has no postgres.json`)
  await writeConnection(join(dataDir, 'postgres.json'), { ...connection, port: await freePort() })
  await writeFile(join(dataDir, 'postgres', 'standby.signal'), '')
  const { user, password } = connection
  return openTestServer(folder, {
    parameters: {
      primary_conninfo: `host=127.0.0.1 port=${fromPort} user=${user} password=${password}`,
      // What a failover finds missing it asks for again at once.
      wal_retrieve_retry_interval: '100ms',
    },
  })
}
