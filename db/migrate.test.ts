import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { migrateDatabase } from './migrate.ts'
import { databaseUrl, execute } from './testing/test-database.ts'

const MIGRATIONS = fileURLToPath(new URL('../drizzle', import.meta.url))

const serverUrl = inject('testServerUrl')
const cleanups: (() => Promise<unknown>)[] = []
let databases = 0
let url: string

beforeEach(async () => {
  url = await emptyDatabase()
})

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function emptyDatabase(options = ''): Promise<string> {
  const name = `migrate_${process.pid}_${++databases}`
  await execute(serverUrl, `CREATE DATABASE ${name} ${options}`)
  cleanups.push(() => execute(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`))
  return databaseUrl(serverUrl, name)
}

async function query(sql: string): Promise<Record<string, unknown>[]> {
  const client = await connect()
  return (await client.query(sql)).rows
}

async function connect(): Promise<Client> {
  const client = new Client({ connectionString: url })
  await client.connect()
  cleanups.push(() => client.end())
  return client
}

interface Journal {
  entries: { tag: string; when: number }[]
}

async function copyMigrations(change: (journal: Journal) => void): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'frostguard-migrations-'))
  cleanups.push(() => rm(folder, { recursive: true }))
  await cp(MIGRATIONS, folder, { recursive: true })
  const path = join(folder, 'meta/_journal.json')
  const journal = JSON.parse(await readFile(path, 'utf8')) as Journal
  change(journal)
  await writeFile(path, JSON.stringify(journal))
  return folder
}

/** The project's migrations as they were before this one. */
function migrationsBefore(tag: string): Promise<string> {
  return copyMigrations((journal) => {
    journal.entries = journal.entries.slice(
      0,
      journal.entries.findIndex((entry) => entry.tag === tag),
    )
  })
}

/** The project's migrations and one more. */
async function withMigration(sql: string): Promise<string> {
  const entry = { idx: 9999, version: '7', when: Date.UTC(2100, 0, 1), tag: '9999_next', breakpoints: true }
  const folder = await copyMigrations((journal) => journal.entries.push(entry))
  await writeFile(join(folder, '9999_next.sql'), sql)
  return folder
}

const applied = () => query('SELECT hash, created_at FROM drizzle.migrations ORDER BY id')

describe('migrateDatabase', () => {
  it('applies every migration once, however often it is called', async () => {
    await migrateDatabase(url)
    const once = await applied()
    const journal = JSON.parse(await readFile(join(MIGRATIONS, 'meta/_journal.json'), 'utf8')) as {
      entries: { when: number }[]
    }
    expect(once.map((row) => Number(row['created_at']))).toEqual(journal.entries.map((entry) => entry.when))
    await migrateDatabase(url)
    expect(await applied()).toEqual(once)
  })

  it('lets two processes take turns', async () => {
    await Promise.all([migrateDatabase(url), migrateDatabase(url), migrateDatabase(url)])
    const rows = await applied()
    expect(new Set(rows.map((row) => row['hash'])).size).toBe(rows.length)
  })

  it('makes the partitions that the given time asks for', async () => {
    await migrateDatabase(url, { now: new Date('2040-06-15T00:00:00Z') })
    expect(await query(`SELECT to_regclass('sensor_readings_2040_08') IS NOT NULL AS ahead`)).toEqual([
      { ahead: true },
    ])
  })

  it('refuses a database whose schema is newer than the program', async () => {
    await migrateDatabase(url, { folder: await withMigration('CREATE TABLE from_the_future (id int)') })
    await expect(migrateDatabase(url)).rejects.toThrow(
      /newer than this program: it has 1 migration.*2100-01-01.*Start the newer version/,
    )
  })

  it('refuses a database that is not UTF8', async () => {
    url = await emptyDatabase(`ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`)
    await expect(migrateDatabase(url)).rejects.toThrow(
      /has the encoding SQL_ASCII, but FrostGuard needs UTF8/,
    )
    expect(await query(`SELECT to_regnamespace('drizzle') AS schema`)).toEqual([{ schema: null }])
  })

  it('keeps nothing of a migration that fails, and names it', async () => {
    const folder = await withMigration(
      'CREATE TABLE half (id int);--> statement-breakpoint\nALTER TABLE no_such_table ADD COLUMN x int',
    )
    await expect(migrateDatabase(url, { folder })).rejects.toThrow(
      /9999_next failed: .*no_such_table.*Nothing of it was kept/,
    )
    expect(await query(`SELECT to_regclass('half') AS half`)).toEqual([{ half: null }])
    await migrateDatabase(url)
  })

  it('runs a migration outside a transaction where the file asks for it', async () => {
    const folder = await withMigration(
      '-- frostguard: no transaction\nCREATE INDEX CONCURRENTLY sites_city_idx ON sites (city)',
    )
    await migrateDatabase(url, { folder })
    expect(
      await query(`SELECT indisvalid FROM pg_index WHERE indexrelid = 'sites_city_idx'::regclass`),
    ).toEqual([{ indisvalid: true }])
  })

  it('gives up on a table that somebody else holds, and says so', async () => {
    await migrateDatabase(url)
    const folder = await withMigration('ALTER TABLE sites ADD COLUMN manager text')
    const holder = await connect()
    await holder.query('BEGIN; LOCK TABLE sites IN ACCESS SHARE MODE')
    await expect(migrateDatabase(url, { folder, lockTimeoutMs: 100 })).rejects.toThrow(
      /9999_next failed: .*lock timeout.*Another session holds a table/,
    )
    await holder.query('COMMIT')
    await migrateDatabase(url, { folder })
  })

  it('lets nobody but the owner change records, whatever the default privileges are', async () => {
    const role = `stranger_${process.pid}`
    await execute(serverUrl, `CREATE ROLE ${role}`)
    cleanups.unshift(() => execute(serverUrl, `DROP ROLE ${role}`))
    await query('ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC')
    await migrateDatabase(url)
    const changeable = await query(
      `SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relname ~ '^(sensor_readings|door_events|event_logs)'
         AND has_table_privilege('${role}', oid, 'UPDATE, DELETE, TRUNCATE')`,
    )
    expect(changeable).toEqual([])
    const readable = await query(`SELECT has_table_privilege('${role}', 'sites', 'UPDATE') AS sites`)
    expect(readable).toEqual([{ sites: true }])
  })

  it('gives the fleet of an earlier version a history of rules and settings, and the rules of a preset one name', async () => {
    await migrateDatabase(url, { folder: await migrationsBefore('0009_evaluation') })
    await query(`
      INSERT INTO organizations (slug, name) VALUES ('old', 'Old');
      INSERT INTO sites (organization_id, name) VALUES (1, 'Site');
      INSERT INTO areas (organization_id, site_id, name) VALUES (1, 1, 'Area');
      INSERT INTO units (organization_id, area_id, name, unit_type, temp_max) VALUES (1, 1, 'Unit', 'fridge', 8);
      INSERT INTO devices (organization_id, unit_id, device_eui) VALUES (1, 1, '24e124136b502f4a');
      INSERT INTO alert_rules (organization_id, name, alert_type, severity, condition_type, condition, preset)
      VALUES (1, 'WHO: temperature_above', 'alarm_active', 'critical', 'temperature_above', '{"limit": 8}', 'who-vaccine-fridge'),
        (1, 'WHO: temperature_below', 'alarm_active', 'critical', 'temperature_below', '{"limit": 0}', 'who-vaccine-fridge'),
        (1, 'Frozen: temperature_above', 'alarm_active', 'critical', 'temperature_above', '{"limit": -15}', 'frozen'),
        (1, 'Frozen', 'alarm_active', 'critical', 'temperature_above', '{"limit": -10}', NULL);
      INSERT INTO alert_rules_history (organization_id, rule_id, version, reason) VALUES (1, 1, 1, 'fleet:apply')`)
    await migrateDatabase(url)
    const history = await query(
      'SELECT rule_id, version, reason FROM alert_rules_history ORDER BY rule_id, version',
    )
    const found = 'found when the history of rules was completed'
    expect(history).toEqual([
      { rule_id: 1, version: 1, reason: 'fleet:apply' },
      { rule_id: 1, version: 2, reason: expect.stringMatching(/^SQL by /) },
      { rule_id: 2, version: 1, reason: found },
      { rule_id: 2, version: 2, reason: expect.stringMatching(/^SQL by /) },
      { rule_id: 3, version: 1, reason: found },
      { rule_id: 4, version: 1, reason: found },
    ])
    const rules = await query('SELECT name FROM alert_rules ORDER BY id')
    expect(rules.map(({ name }) => name)).toEqual(['WHO', 'WHO', 'Frozen: temperature_above', 'Frozen'])
    const settings = await query(
      'SELECT entity, entity_id, valid_from::text AS "from" FROM pipeline.config_history ORDER BY entity DESC',
    )
    expect(settings).toEqual([
      { entity: 'unit', entity_id: 1, from: '-infinity' },
      { entity: 'device', entity_id: 1, from: '-infinity' },
    ])
  })
})
