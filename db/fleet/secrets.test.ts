import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { verifySecret } from '../credentials.ts'
import { devices, eventLogs, hubs, operatorCredentials, organizations } from '../schema/index.ts'
import { changed, exampleFleet } from './testing/example-fleet.ts'
import { type FleetFixture, openFleetDatabase, openFleetFixture } from './testing/fleet-fixture.ts'

const DEVICE = 'sites[0].areas[0].units[0].devices[0]'
const EUI = '24e124136b502f4a'

let fixture: FleetFixture

beforeEach(async () => {
  fixture = await openFleetFixture()
})

afterEach(async () => {
  await fixture?.close()
})

const hubHash = async () => (await fixture.db.select().from(hubs))[0]?.credentialHash ?? ''
const connecting = () => changed(exampleFleet(), { [`${DEVICE}.connects`]: true })

/** Every row of every table, as text. */
async function databaseText(): Promise<string> {
  const tables = await fixture.db.execute<{ name: string }>(
    sql`select format('%I.%I', schemaname, tablename) as name from pg_tables
      where schemaname in ('public', 'pipeline')`,
  )
  const texts = tables.rows.map(async ({ name }) => {
    const { rows } = await fixture.db.execute(sql`select t::text from ${sql.raw(name)} t`)
    return JSON.stringify(rows)
  })
  return (await Promise.all(texts)).join('\n')
}

describe('new secrets', () => {
  it('go into the credentials file, in the documented form, and their hashes into the database', async () => {
    await fixture.apply(connecting())
    const credentials = await fixture.credentials()
    expect(Object.keys(credentials)).toEqual(['hubs', 'devices', 'network_servers', 'operator'])
    expect(Object.keys(credentials.devices)).toEqual([EUI])
    expect(Object.keys(credentials.network_servers)).toEqual(['chirpstack-1'])
    expect(await verifySecret(credentials.hubs['hub-berlin-1'] ?? '', await hubHash())).toBe(true)
    const [device] = await fixture.db.select().from(devices)
    expect(await verifySecret(credentials.devices[EUI] ?? '', device?.credentialHash ?? '')).toBe(true)
    const [operator] = await fixture.db.select().from(operatorCredentials)
    expect(await verifySecret(credentials.operator ?? '', operator?.credentialHash ?? '')).toBe(true)
  })

  it('are nowhere else, and their hashes neither in the audit log nor in the output', async () => {
    const { text } = await fixture.apply(connecting())
    const { hubs: ofHubs, devices: ofDevices, network_servers, operator } = await fixture.credentials()
    const all = [ofHubs, ofDevices, network_servers].flatMap((section) => Object.values(section))
    const secrets = [...all, operator ?? '']
    expect(secrets).toHaveLength(4)
    const stored = await databaseText()
    expect(stored).toContain(await hubHash())
    const audit = JSON.stringify(await fixture.db.select().from(eventLogs))
    for (const secret of secrets) {
      expect(secret).toMatch(/^[\w-]{32}$/)
      expect(stored).not.toContain(secret)
      expect(text).not.toContain(secret)
    }
    expect(audit + text).not.toContain('scrypt$')
    expect(audit).toContain('"credential":"set"')
  })

  it('are made once: another run keeps them', async () => {
    await fixture.apply(connecting())
    const before = await fixture.credentials()
    const report = await fixture.apply(connecting())
    expect(report.newSecrets).toEqual([])
    expect(await fixture.credentials()).toEqual(before)
  })
})

describe('--rotate', () => {
  it('renews exactly the named ones', async () => {
    await fixture.apply(connecting())
    const before = await fixture.credentials()
    const hashBefore = await hubHash()
    const report = await fixture.apply(connecting(), {
      rotate: ['hub-berlin-1', 'device:24:E1:24:13:6B:50:2F:4A', 'operator'],
    })
    expect(report.newSecrets).toEqual(['hub-berlin-1', `device:${EUI}`, 'operator:demo'])
    const after = await fixture.credentials()
    expect(after.network_servers).toEqual(before.network_servers)
    expect(after.operator).not.toBe(before.operator)
    expect(after.devices[EUI]).not.toBe(before.devices[EUI])
    expect(await hubHash()).not.toBe(hashBefore)
    expect(await verifySecret(after.hubs['hub-berlin-1'] ?? '', await hubHash())).toBe(true)
    const [event] = await fixture.db
      .select()
      .from(eventLogs)
      .where(sql`${eventLogs.entityType} = 'hub' and ${eventLogs.action} = 'updated'`)
    expect(event).toMatchObject({ oldValues: { credential: 'set' }, newValues: { credential: 'replaced' } })
  })

  it('renews a hub that only the database has', async () => {
    await fixture.apply(exampleFleet())
    const without = changed(exampleFleet(), { 'sites[0].hubs': [] })
    expect((await fixture.apply(without, { rotate: ['hub-berlin-1'] })).newSecrets).toEqual(['hub-berlin-1'])
    const { hubs: secrets } = await fixture.credentials()
    expect(await verifySecret(secrets['hub-berlin-1'] ?? '', await hubHash())).toBe(true)
  })
})

describe('a device that no longer connects by itself', () => {
  it('loses its secret', async () => {
    await fixture.apply(connecting())
    const report = await fixture.apply(exampleFleet())
    expect(report.revokedSecrets).toEqual([`device:${EUI}`])
    const [device] = await fixture.db.select().from(devices)
    expect(device).toMatchObject({ credentialHash: null, deletedAt: null })
    expect((await fixture.credentials()).devices).toEqual({})
  })
})

describe('the credentials file', () => {
  const mode = async () => ((await stat(fixture.credentialsPath)).mode & 0o777).toString(8)

  it('is for its owner only, also where it was open before, and keeps what others put into it', async () => {
    await writeFile(fixture.credentialsPath, '{"hubs":{"hub-elsewhere":"s"},"note":"mine"}', { mode: 0o644 })
    await chmod(fixture.credentialsPath, 0o666)
    const report = await fixture.apply(exampleFleet())
    expect(await mode()).toBe('600')
    expect(await fixture.credentials()).toMatchObject({ hubs: { 'hub-elsewhere': 's' }, note: 'mine' })
    expect(report.text).toContain('Warning:')
    expect(report.text).toContain('(hub-elsewhere)')
    expect(await readdir(dirname(fixture.credentialsPath))).toEqual(['credentials.json'])
  })

  it('is not replaced, and nothing is changed, when it is something else', async () => {
    for (const content of ['not JSON with a secret in it', '{"hubs":["x"]}', '[]']) {
      await writeFile(fixture.credentialsPath, content)
      const failure = fixture.apply(exampleFleet())
      await expect(failure).rejects.toThrow('it is not a credentials file')
      await expect(failure).rejects.not.toThrow('with a secret')
      expect(await readFile(fixture.credentialsPath, 'utf8')).toBe(content)
    }
    expect(await fixture.db.select().from(organizations)).toEqual([])
  })

  it('must have a folder: nothing is changed without', async () => {
    const credentialsPath = join(dirname(fixture.credentialsPath), 'missing', 'credentials.json')
    await expect(fixture.apply(exampleFleet(), { credentialsPath })).rejects.toThrow(
      `${credentialsPath} cannot be written: ENOENT. Nothing was changed.`,
    )
    expect(await fixture.db.select().from(organizations)).toEqual([])
  })

  it('stays as it was, without leftovers, when the database refuses', async () => {
    await fixture.db.execute(
      sql`create function refuse() returns trigger language plpgsql as
        $$ begin raise exception 'refused by the test'; end $$`,
    )
    await fixture.db.execute(
      sql`create trigger refuse before insert on event_logs for each statement execute function refuse()`,
    )
    await expect(fixture.apply(exampleFleet())).rejects.toThrow(
      'The database refused the fleet: refused by the test. Nothing was changed.',
    )
    expect(await readdir(dirname(fixture.credentialsPath))).toEqual([])
    expect(await fixture.db.select().from(organizations)).toEqual([])
  })

  it('says where the secrets are when it cannot be replaced after the commit', async () => {
    // A folder takes the file's place while the transaction waits, with everything written, for our lock.
    await fixture.db.execute(
      sql`create function slow() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock_shared(42); return null; end $$`,
    )
    await fixture.db.execute(
      sql`create trigger slow after insert on event_logs for each statement execute function slow()`,
    )
    const failure = await fixture.db.transaction(async (tx) => {
      await tx.execute(sql`select pg_advisory_xact_lock(42)`)
      const run = fixture.apply(exampleFleet()).catch((error: Error) => error)
      await waitForBlocked()
      await mkdir(fixture.credentialsPath)
      return { run }
    })
    const error = await failure.run
    expect(error).toMatchObject({ name: 'FleetError' })
    const [, temporary = ''] = /are in (\S+\.tmp):/.exec((error as Error).message) ?? []
    const { hubs: secrets } = JSON.parse(await readFile(temporary, 'utf8'))
    expect(await verifySecret(secrets['hub-berlin-1'], await hubHash())).toBe(true)
    expect(((await stat(temporary)).mode & 0o777).toString(8)).toBe('600')
  })
})

const waitForBlocked = () =>
  until(async () => {
    const { rows } = await fixture.db.execute(
      sql`select 1 from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`,
    )
    return rows.length > 0
  })

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`Never true: ${condition}`)
}

describe('a connection that is lost', () => {
  it('is reported in one sentence without a statement', async () => {
    await fixture.db.execute(
      sql`create function die() returns trigger language plpgsql as
        $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$`,
    )
    await fixture.db.execute(
      sql`create trigger die after insert on hubs for each statement execute function die()`,
    )
    const failure = await fixture.apply(exampleFleet()).catch((error: Error) => error)
    expect(failure).toMatchObject({ name: 'FleetError' })
    expect((failure as Error).message).not.toMatch(/insert into|Failed query/)
    expect(await fixture.db.select().from(hubs)).toEqual([])
    expect(await readdir(dirname(fixture.credentialsPath))).toEqual([])
  })

  it('during the commit leaves the secrets where the message says: they may hold', async () => {
    const proxy = await startCommitCutter(fixture.url)
    const db = openFleetDatabase(proxy.url)
    const failure = await fixture.apply(exampleFleet(), { db }).catch((error: Error) => error)
    await db.$client.end()
    proxy.close()
    expect(failure).toMatchObject({ name: 'FleetError' })
    const [, temporary = ''] = /are in (\S+\.tmp)\./.exec((failure as Error).message) ?? []
    const { hubs: secrets } = JSON.parse(await readFile(temporary, 'utf8'))
    // The server got the COMMIT; only its answer was lost.
    await until(async () => (await hubHash()) !== '')
    expect(await verifySecret(secrets['hub-berlin-1'], await hubHash())).toBe(true)
  })
})

/** A way to the database that passes a COMMIT on and is then cut. */
async function startCommitCutter(target: string): Promise<{ url: string; close(): void }> {
  const { hostname, port } = new URL(target)
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) socket.on('error', () => {})
    upstream.pipe(client).on('close', () => upstream.end())
    client.on('data', (bytes: Buffer) => {
      const isCommit = /commit/i.test(bytes.toString('latin1'))
      upstream.write(bytes)
      if (isCommit) client.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return { url: url.href, close: () => server.close() }
}
