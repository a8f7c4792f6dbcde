/** A spool that cannot be read stops neither a database that is well nor the hubs. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Worker } from 'node:worker_threads'
import { crc32 } from 'node:zlib'
import { Client } from 'pg'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { publish } from '../contract/testing/clients.ts'
import { NORTH_HUB, northDevice } from '../contract/testing/fleet.ts'
import { readingsOf } from '../contract/testing/rows.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { nextTime } from '../contract/testing/times.ts'
import { until } from '../db/testing/poll.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { endSessions } from './testing/postgres.ts'

const spool = vi.hoisted(() => ({ diesWhenRead: false }))

vi.mock('node:worker_threads', async (original) => {
  const real = await original<typeof import('node:worker_threads')>()
  class MortalWorker extends real.Worker {
    override postMessage(...message: Parameters<Worker['postMessage']>): void {
      const question = message[0] as { kind?: string } | undefined
      if (spool.diesWhenRead && question?.kind === 'oldest') void this.terminate()
      else super.postMessage(...message)
    }
  }
  return { ...real, Worker: MortalWorker }
})

let folder: string
let service: TestService
let locker: Client

beforeEach(async () => {
  spool.diesWhenRead = false
  folder = await makeTestFolder()
  service = await startTestService({ env: { INGEST_HOLD_MS: '300', DATA_DIR: folder } })
  locker = new Client({ connectionString: service.url })
  await locker.connect()
})
afterEach(async () => {
  await locker.end()
  await service.close()
  await removeTestFolder(folder)
})

/** Publishes a reading; returns when it is acknowledged. */
async function publishReading(): Promise<void> {
  const hub = await service.connect(NORTH_HUB)
  await publish(hub, `v1/hubs/${NORTH_HUB}/readings`, {
    device: northDevice(0),
    at: nextTime(),
    temperature: 4,
  })
  await hub.endAsync()
}

/** Publishes a reading that goes to the spool. The database is left locked. */
async function spoolReading(): Promise<void> {
  await locker.query('BEGIN; LOCK TABLE public.sensor_readings IN ACCESS EXCLUSIVE MODE')
  await publishReading()
  expect(await service.metric('frostguard_readings_spooled_total')).toBe(1)
}

/** The reading is in the spool alone: the server does not go on with a batch that was given up. */
async function unlock(): Promise<void> {
  await endSessions(service.url, 'frostguard ingest')
  await locker.query('ROLLBACK')
}

async function stored(): Promise<number> {
  return (await readingsOf(service, northDevice(0))).length
}

async function expectSpoolFailedAlone(why: RegExp): Promise<void> {
  await until('the database is not away', async () => !/database away/.test(await readiness()))
  await publishReading()
  await publishReading()
  expect(await stored()).toBe(2)
  expect(await readiness()).toMatch(/spool failed/)
  expect(await readiness()).toMatch(why)
  expect(await readiness()).not.toMatch(/database away|do not balance/)
  expect(await service.metric('frostguard_readings_imbalance')).toBe(0)
  expect(await service.metric('frostguard_readings_in_flight')).toBe(0)
  expect(await service.metric('frostguard_readings_spooled')).toBe(1)
}

const readiness = async () => (await service.get('/readyz')).text()

/** The version of the only batch in the spool's file. */
function setVersion(version: number): void {
  const database = new DatabaseSync(join(folder, 'spool', 'spool.db'))
  const content = database.prepare('SELECT content FROM batches').get()?.['content'] as Uint8Array
  content[0] = version
  database.prepare('UPDATE batches SET content = ?, crc = ?').run(content, crc32(content))
  database.close()
}

test('its thread dies', async () => {
  // Before the drain has taken the reading from it, which would then be stored.
  spool.diesWhenRead = true
  await spoolReading()
  await until('it is dead', async () => /thread .* has died/.test(await readiness()))
  spool.diesWhenRead = false
  await unlock()
  await expectSpoolFailedAlone(/thread .* has died/)
  await service.stop()
  await service.start()
  await until('what was in the spool is stored', async () => (await stored()) === 3)
})

test('a batch of another version is in it, which stays there for that version', async () => {
  await spoolReading()
  await service.stop()
  await unlock()
  setVersion(99)
  await service.start()
  await until('the spool was read', async () => /spool failed/.test(await readiness()))
  await expectSpoolFailedAlone(/in a form that this version cannot read/)
  await service.stop()
  setVersion(1)
  await service.start()
  await until('it is stored', async () => (await stored()) === 3)
})
