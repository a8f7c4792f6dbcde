import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../embedded/ports.ts'
import { isRunning } from '../embedded/processes.ts'
import { copyTemplateCluster } from '../testing/template-cluster.ts'
import { makeTestFolder, placeForManyFiles, removeTestFolder } from '../testing/test-folder.ts'
import { postmasterPid } from '../testing/test-server.ts'
import { userEnvironment } from '../testing/user-environment.ts'

let folder: string
beforeAll(async () => {
  folder = await makeTestFolder(await placeForManyFiles())
})
afterAll(() => removeTestFolder(folder))

/** A DATA_DIR with a cluster that has not been started yet. */
async function dataDirWithCluster(name: string): Promise<string> {
  const dataDir = join(folder, name)
  await copyTemplateCluster(dataDir)
  return dataDir
}

/** Runs a command line program whose body is `action`, a function of the server. */
function command(env: Record<string, string>, action: string, options = '{}') {
  const program = `
    import { Client } from 'pg'
    import { withDatabase } from ${JSON.stringify(import.meta.resolve('./with-database.ts'))}
    const count = async (url) => {
      const client = new Client({ connectionString: url })
      await client.connect()
      const { rows } = await client.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
      await client.end()
      return Number(rows[0].count)
    }
    await withDatabase(${action}, ${options})`
  return spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: userEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function result(child: ReturnType<typeof command>) {
  const [out, error, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { out, error, code }
}

const REPORT =
  'async ({ url, embedded }) => console.log(JSON.stringify({ embedded, tables: await count(url) }))'

test('starts the database of DATA_DIR, migrates it, and stops it at the end', async () => {
  const DATA_DIR = join(folder, 'data')
  const bare = await result(command({ DATA_DIR }, REPORT, '{ migrate: false }'))
  expect(bare).toEqual({ out: '{"embedded":true,"tables":0}\n', error: '', code: 0 })
  const migrated = await result(command({ DATA_DIR }, REPORT))
  expect(migrated.code).toBe(0)
  expect(JSON.parse(migrated.out).tables).toBeGreaterThanOrEqual(22)
  await expect(postmasterPid(DATA_DIR)).rejects.toThrow('No server runs')
})

test('a failure is one sentence and exit code 1', async () => {
  const DATA_DIR = await dataDirWithCluster('failing')
  const action = `async () => { throw new Error('The fleet file is missing.') }`
  expect(await result(command({ DATA_DIR }, action, '{ migrate: false }'))).toEqual({
    out: '',
    error: 'The fleet file is missing.\n',
    code: 1,
  })
  await expect(postmasterPid(DATA_DIR)).rejects.toThrow('No server runs')
})

test('a bad setting and a database out of reach are sentences too', async () => {
  const bad = await result(command({ DATABASE_URL: 'mysql://db/x' }, REPORT))
  expect(bad.code).toBe(1)
  expect(bad.error).toMatch(/DATABASE_URL=mysql.*expected postgres:/)
  const away = `postgres://app:hidden@127.0.0.1:${await freePort()}/cold`
  const out = await result(command({ DATABASE_URL: away, DATABASE_START_WAIT_MS: '0' }, REPORT))
  expect(out).toMatchObject({
    code: 1,
    error: expect.stringMatching(/^Cannot reach the database "cold".*\n$/),
  })
})

test('an interrupted command releases the server', async () => {
  const DATA_DIR = await dataDirWithCluster('interrupted')
  const waiting = `() => { console.log('waiting'); return new Promise((resolve) => setTimeout(resolve, 600_000)) }`
  const child = command({ DATA_DIR }, waiting, '{ migrate: false }')
  await once(child.stdout, 'data')
  const pid = await postmasterPid(DATA_DIR)
  child.kill('SIGINT')
  const [code] = await once(child, 'exit')
  expect(code).toBe(130)
  expect(isRunning(pid)).toBe(false)
})
