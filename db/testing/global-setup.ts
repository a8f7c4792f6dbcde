import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { DATABASE } from '../embedded/connection-file.ts'
import { openEmbeddedServer } from '../embedded/server.ts'
import { migrateDatabase } from '../migrate.ts'
import { keepTemplateCluster } from './template-cluster.ts'
import { copyDatabase, execute, TEMPLATE_DATABASE } from './test-database.ts'
import {
  makeTestFolder,
  placeForManyFiles,
  removeAbandonedTestFolders,
  removeTestFolder,
} from './test-folder.ts'
import { FAST_AND_UNSAFE, SILENT_LOG } from './test-server.ts'

/** Kept from run to run; beside what Vite keeps. */
const COMPILE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url))
const CHECK_RUNTIME = new URL('../../check-runtime.mjs', import.meta.url).href

/**
 * One PostgreSQL for the whole test run, with a migrated template database, and a stopped copy of its cluster for the
 * tests that need a server of their own; removed at the end.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  // The programs that tests start compile the same modules each time.
  process.env['NODE_COMPILE_CACHE'] ??= COMPILE_CACHE
  // As all commands: workers and programs that tests start load drizzle-orm in a fraction of the time.
  process.env['NODE_OPTIONS'] = `${process.env['NODE_OPTIONS'] ?? ''} --import ${CHECK_RUNTIME}`
  await removeAbandonedTestFolders()
  // Each test database is more than a thousand files.
  const folder = await makeTestFolder(await placeForManyFiles())
  const dataDir = join(folder, 'data')
  const parameters = { ...FAST_AND_UNSAFE, track_commit_timestamp: 'on' }
  const open = () => openEmbeddedServer({ dataDir, parameters, log: SILENT_LOG })
  let server = await open()
  const teardown = async () => {
    await server.release()
    await removeTestFolder(folder)
  }
  try {
    await migrateDatabase(server.url)
    await server.release()
    await keepTemplateCluster(dataDir, join(folder, 'template'))
    server = await open()
    await makeTemplate(server.url)
  } catch (error) {
    await teardown()
    throw error
  }
  project.provide('testServerUrl', server.url)
  return teardown
}

async function makeTemplate(serverUrl: string): Promise<void> {
  await copyDatabase(serverUrl, DATABASE, TEMPLATE_DATABASE)
  // Nobody may stay in it by mistake: a template in use cannot be copied.
  await execute(serverUrl, `ALTER DATABASE ${TEMPLATE_DATABASE} WITH ALLOW_CONNECTIONS false`)
}
