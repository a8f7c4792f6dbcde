import { existsSync } from 'node:fs'
import { chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accountForNewCluster } from './embedded/account.ts'
import { freePort } from './embedded/ports.ts'
import { type Account, run } from './embedded/run.ts'
import { migrateDatabase } from './migrate.ts'
import { makeTestFolder, removeTestFolder } from './testing/test-folder.ts'

/** Debian's package of the oldest PostgreSQL that is supported. */
const BIN = '/usr/lib/postgresql/15/bin'
const isInstalled = existsSync(join(BIN, 'postgres'))
const TIMEOUT_MS = 60_000

let folder: string
let cluster: string
let account: Account | undefined
let url: string

async function program(name: string, args: string[]): Promise<void> {
  const result = await run(join(BIN, name), args, { account, timeoutMs: TIMEOUT_MS })
  if (result.code !== 0) throw new Error(`${name} failed: ${result.output}`)
}

describe.skipIf(!isInstalled)(
  isInstalled ? 'on PostgreSQL 15' : `on PostgreSQL 15: SKIPPED, because there is none in ${BIN}`,
  () => {
    beforeAll(async () => {
      folder = await makeTestFolder()
      // Where removeTestFolder looks for servers to end.
      cluster = join(folder, 'data', 'postgres')
      account = await accountForNewCluster()
      await mkdir(cluster, { recursive: true, mode: 0o755 })
      if (account) await chown(cluster, account.uid, account.gid)
      await program('initdb', [
        '-D',
        cluster,
        '-U',
        'postgres',
        '-A',
        'trust',
        '-E',
        'UTF8',
        '--locale=C.UTF-8',
        '-N',
      ])
      const port = await freePort()
      await program('pg_ctl', [
        ...['-D', cluster, '-w', '-l', join(cluster, 'server.log')],
        ...['-o', `-p ${port} -k '' -c listen_addresses=127.0.0.1 -c fsync=off`, 'start'],
      ])
      url = `postgres://postgres@127.0.0.1:${port}/postgres`
    })

    afterAll(async () => {
      await removeTestFolder(folder)
    })

    it('migrates, takes readings and makes UUIDs of version 7', async () => {
      await migrateDatabase(url)
      await migrateDatabase(url)
      const client = new Client({ connectionString: url })
      await client.connect()
      try {
        await client.query(
          `INSERT INTO sensor_readings (device_id, recorded_at, received_at, batch_id, organization_id, source)
           VALUES (1, now(), now(), 1, 1, 'test')`,
        )
        await client.query(
          `INSERT INTO organizations (slug, name) SELECT 'org-' || n, 'Org' FROM generate_series(1, 100) n`,
        )
        const before = Date.now()
        const { rows } = await client.query<{ id: string }>('SELECT uuidv7() AS id')
        const { rows: stored } = await client.query<{ public_id: string }>(
          'SELECT public_id FROM organizations',
        )
        for (const { public_id } of stored)
          expect(public_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/)
        expect(new Set(stored.map((row) => row.public_id)).size).toBe(100)
        const time = Number.parseInt(rows[0]?.id.replace('-', '').slice(0, 12) ?? '', 16)
        expect(time - before).toBeGreaterThanOrEqual(-1)
        expect(time).toBeLessThanOrEqual(Date.now() + 1)
      } finally {
        await client.end()
      }
    })
  },
)
