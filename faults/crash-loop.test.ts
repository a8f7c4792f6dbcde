/** Starts that fail, again and again: each says why in a sentence and leaves nothing behind that hinders the next. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { openSocket } from '../broker/testing.ts'
import { runMain, startProcess } from '../contract/testing/process.ts'
import { freePort } from '../db/embedded/ports.ts'
import { until } from '../db/testing/poll.ts'
import { databaseUrl, execute } from '../db/testing/test-database.ts'
import { userEnvironment } from '../db/testing/user-environment.ts'

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url))
const STARTS = 3
const NAME = `crash_loop_${process.pid}`

const url = databaseUrl(inject('testServerUrl'), NAME)
let client: Client
/** Apart: within a transaction, the list of sessions stays as it was seen first. */
let holder: Client

beforeAll(async () => {
  // Without our schema: each start has something to migrate.
  await execute(inject('testServerUrl'), `CREATE DATABASE ${NAME}`)
  client = new Client({ connectionString: url })
  await client.connect()
  holder = new Client({ connectionString: url })
  await holder.connect()
})
afterAll(async () => {
  await client.end()
  await holder.end()
  await execute(inject('testServerUrl'), `DROP DATABASE ${NAME} WITH (FORCE)`)
})

async function migrations(): Promise<number> {
  const { rows } = await client.query<{ count: number }>('SELECT count(*)::int FROM drizzle.migrations')
  return rows[0]?.count ?? 0
}

async function connectionsOfOurs(): Promise<number> {
  const ours = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'frostguard%'`
  return (await client.query(ours)).rowCount ?? 0
}

test('killed in the middle of a migration: nothing of it is kept', async () => {
  // One of the types that the first large migration makes, after others.
  await holder.query(`BEGIN; CREATE TYPE public.alert_type AS ENUM ('of another session')`)
  const env = userEnvironment({ DATABASE_URL: url })
  const starting = spawn(process.execPath, [MAIN], { env, cwd: '/', stdio: 'ignore' })
  const ended = once(starting, 'exit')
  await until('its migration waits', async () => {
    const waiting = await client.query(
      `SELECT 1 FROM pg_stat_activity WHERE application_name = 'frostguard migrate' AND wait_event_type = 'Lock'`,
    )
    return waiting.rowCount === 1
  })
  starting.kill('SIGKILL')
  expect(await ended).toEqual([null, 'SIGKILL'])
  await holder.query('ROLLBACK')
  await until('its connection is gone', async () => (await connectionsOfOurs()) === 0)
  const kept = `SELECT to_regnamespace('pipeline') AS schema, to_regtype('public.alert_severity') AS type`
  expect((await client.query(kept)).rows).toEqual([{ schema: null, type: null }])
})

test('a port that is taken: each start ends with a sentence and frees what it had, and the last one succeeds', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  const httpPort = String((taken.address() as AddressInfo).port)
  const mqttPort = await freePort()
  const env = { DATABASE_URL: url, MQTT_PORT: String(mqttPort), LOG_LEVEL: 'silent' }
  const applied = new Set<number>()
  for (let start = 0; start < STARTS; start++) {
    const { code, stderr } = await runMain({ ...env, HTTP_PORT: httpPort })
    expect(code).toBe(1)
    expect(stderr).toContain(`HTTP_PORT=${httpPort} on 127.0.0.1 is taken`)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    await expect(openSocket(mqttPort)).rejects.toThrow('ECONNREFUSED')
    await until('its connections are gone', async () => (await connectionsOfOurs()) === 0)
    applied.add(await migrations())
  }
  expect(applied.size).toBe(1)
  taken.close()
  const service = await startProcess(env)
  service.signal('SIGTERM')
  expect(await service.ended).toBe(0)
})
