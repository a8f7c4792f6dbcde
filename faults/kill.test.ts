import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'pg'
import { expect, test } from 'vitest'
import { startProcess } from '../contract/testing/process.ts'
import { createTestFleet } from '../db/testing/fleet.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase } from '../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { compareStored } from './testing/compare.ts'
import { type Ledger, startPublishers } from './testing/publishers.ts'

/** Drawn anew each run and printed with the test's name; to repeat a run, write its numbers here. */
const PAUSES_MS = Array.from({ length: 3 }, () => Math.floor(200 + Math.random() * 800))

/** Guarantees 1 and 2: the service is killed at random moments while hubs publish, and started again. */
test(`acknowledged readings survive kill -9 after ${PAUSES_MS.join(', ')} ms, and each is stored once`, async () => {
  const database = await createTestDatabase()
  const pool = new Pool({ connectionString: database.url })
  const folder = await makeTestFolder()
  try {
    const fleet = await createTestFleet(pool, { slug: 'kill', hubs: 20, devices: 200, euiPrefix: 'a8' })
    const start = () => startProcess({ DATABASE_URL: database.url, DATA_DIR: join(folder, 'data') })
    let service = await start()
    const ledger: Ledger = { attempted: new Set(), acknowledged: new Set() }
    const publishers = startPublishers({
      fleet,
      port: () => Number(new URL(service.printed('MQTT')).port),
      readingsPerMessage: 5,
      everyMs: 10,
      ledger,
    })
    for (const pauseMs of PAUSES_MS) {
      await sleep(pauseMs)
      service.signal('SIGKILL')
      expect(await service.ended).toBe('SIGKILL')
      service = await start()
    }
    await sleep(300)
    await publishers.stop()
    await until('what went to the spool is stored', async () => {
      const page = await (await fetch(new URL('/metrics', service.printed('Status page')))).text()
      return /^frostguard_readings_spooled 0$/m.test(page)
    })
    service.signal('SIGTERM')
    expect(await service.ended).toBe(0)

    const compared = await compareStored(pool, ledger)
    expect(compared.acknowledged).toBeGreaterThan(1_000)
    expect(compared).toMatchObject({ lost: [], neverSent: [], storedTwice: [] })
    expect(compared.readingsInBatches).toBe(compared.stored)
  } finally {
    await pool.end()
    await database.drop()
    await removeTestFolder(folder)
  }
})
