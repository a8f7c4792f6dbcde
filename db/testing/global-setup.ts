import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { openEmbeddedServer } from '../embedded/server.ts'
import { migrateDatabase } from '../migrate.ts'
import { databaseUrl, execute, TEMPLATE_DATABASE } from './test-database.ts'
import { makeTestFolder, removeAbandonedTestFolders, removeTestFolder } from './test-folder.ts'
import { FAST_AND_UNSAFE, SILENT_LOG } from './test-server.ts'

/** One PostgreSQL for the whole test run, with a migrated template database; removed at the end. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeAbandonedTestFolders()
  const folder = await makeTestFolder()
  const server = await openEmbeddedServer({
    dataDir: join(folder, 'data'),
    parameters: FAST_AND_UNSAFE,
    log: SILENT_LOG,
  })
  const teardown = async () => {
    await server.release()
    await removeTestFolder(folder)
  }
  try {
    await makeTemplate(server.url)
  } catch (error) {
    await teardown()
    throw error
  }
  project.provide('testServerUrl', server.url)
  return teardown
}

async function makeTemplate(serverUrl: string): Promise<void> {
  await execute(serverUrl, `CREATE DATABASE ${TEMPLATE_DATABASE}`)
  await migrateDatabase(databaseUrl(serverUrl, TEMPLATE_DATABASE))
  // Nobody may stay in it by mistake: a template in use cannot be copied.
  await execute(serverUrl, `ALTER DATABASE ${TEMPLATE_DATABASE} WITH ALLOW_CONNECTIONS false`)
}
