import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readConnection, writeConnection } from '../embedded/connection-file.ts'
import { openDataFolder } from '../embedded/data-folder.ts'
import { freePort } from '../embedded/ports.ts'

/** Where the test run keeps its template; in the environment, so that test code which runs without vitest works too. */
const TEMPLATE_VARIABLE = 'FROSTGUARD_TEST_TEMPLATE'
const run = promisify(execFile)

/** Keeps a copy of a DATA_DIR whose server does not run, for `copyTemplateCluster` in this process and its children. */
export async function keepTemplateCluster(dataDir: string, template: string): Promise<void> {
  await copyCluster(dataDir, template)
  process.env[TEMPLATE_VARIABLE] = template
}

/**
 * Makes `dataDir` a copy of the test run's migrated cluster, with a port of its own; a few times cheaper than initdb and
 * the migrations. Returns false, and does nothing, where there is no template.
 */
export async function copyTemplateCluster(dataDir: string): Promise<boolean> {
  const template = process.env[TEMPLATE_VARIABLE]
  if (template === undefined) return false
  await copyCluster(template, dataDir)
  const { connection: file } = await openDataFolder(dataDir)
  const connection = await readConnection(file)
  if (!connection) throw new Error(`${template} is no template: ${file} cannot be read`)
  await writeConnection(file, { ...connection, port: await freePort() })
  return true
}

/** `cp -a` keeps the owner, who is another user when we are root. */
async function copyCluster(from: string, to: string): Promise<void> {
  await mkdir(to)
  await run('cp', ['-a', join(from, 'postgres'), join(from, 'postgres.json'), to])
}
