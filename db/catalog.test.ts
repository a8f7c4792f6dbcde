import { is, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { getTableConfig, IndexedColumn, isPgEnum, isPgSchema, PgTable } from 'drizzle-orm/pg-core'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as schema from './schema/index.ts'
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts'

const exported: unknown[] = Object.values(schema)
const tables = exported.filter((value) => is(value, PgTable)).map((table) => getTableConfig(table))
const enums = exported.filter((value) => isPgEnum(value))
const HOT_TABLES = ['public.sensor_readings', 'public.door_events']

const nameOf = (table: { schema?: string | undefined; name: string }) =>
  `${table.schema ?? 'public'}.${table.name}`
const withoutSpaces = (type: string) => type.replaceAll(' ', '')

let database: TestDatabase
let client: Client

beforeAll(async () => {
  database = await createTestDatabase()
  client = new Client({ connectionString: database.url })
  await client.connect()
})

afterAll(async () => {
  await client?.end()
  await database?.drop()
})

/** Rows of a catalog query, all of whose relations are tables of ours and no partitions. */
async function catalog<Row extends Record<string, unknown>>(query: string): Promise<Row[]> {
  const ours = `WITH t AS (
    SELECT c.oid, n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'pipeline') AND c.relkind IN ('r', 'p') AND NOT c.relispartition)`
  const result = await client.query<Row>(`${ours} ${query}`)
  return result.rows
}

describe('the migrated catalog', () => {
  it('has the tables of the schema: 22 in public, the others in pipeline', async () => {
    const rows = await catalog<{ name: string }>('SELECT name FROM t')
    expect(rows.map((row) => row.name).sort()).toEqual(tables.map(nameOf).sort())
    expect(rows.filter((row) => row.name.startsWith('public.'))).toHaveLength(22)
  })

  it('has the 13 enums of the schema with their values in order', async () => {
    const rows = (
      await client.query<{ name: string; values: string[] }>(
        `SELECT t.typname AS name, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS values
         FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid WHERE t.typnamespace = 'public'::regnamespace
         GROUP BY t.typname ORDER BY t.typname`,
      )
    ).rows
    const expected = enums.map((item) => ({ name: item.enumName, values: item.enumValues }))
    expect(rows).toEqual(expected.sort((a, b) => a.name.localeCompare(b.name)))
    expect(rows).toHaveLength(13)
  })

  it('has the columns of the schema in its order, with types, nullability, identities and defaults', async () => {
    const rows = await catalog<{ table: string; column: string }>(`
      SELECT t.name AS table, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type,
        a.attnotnull AS "notNull", a.attidentity = 'a' AS identity, a.atthasdef AS "hasDefault"
      FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
      ORDER BY t.name COLLATE "C", a.attnum`)
    const expected = tables.flatMap((table) =>
      table.columns.map((column) => ({
        table: nameOf(table),
        column: column.name,
        type: withoutSpaces(column.getSQLType()),
        notNull: column.notNull,
        identity: column.generatedIdentity !== undefined,
        hasDefault: column.default !== undefined,
      })),
    )
    const actual = rows.map((row) => ({
      ...row,
      type: withoutSpaces(String((row as { type?: string }).type)),
    }))
    // A stable sort by table keeps the order of the columns.
    expect(actual).toEqual(expected.sort((a, b) => (a.table < b.table ? -1 : a.table > b.table ? 1 : 0)))
  })

  it('has the indexes of the schema', async () => {
    const rows = await catalog(`
      SELECT t.name AS table, c.relname AS index, i.indisunique AS unique, m.amname AS method,
        i.indpred IS NOT NULL AS partial, c.reloptions AS options,
        (SELECT array_agg(coalesce(a.attname::text, '(expression)') ORDER BY k.position)
         FROM unnest(i.indkey) WITH ORDINALITY AS k (number, position)
         LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number AND k.number > 0) AS columns
      FROM t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
      WHERE i.indisvalid AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u'))
      ORDER BY c.relname COLLATE "C"`)
    const expected = tables.flatMap((table) =>
      table.indexes.map(({ config }) => ({
        table: nameOf(table),
        index: config.name ?? '',
        unique: config.unique,
        method: config.method,
        partial: config.where !== undefined,
        options: config.with ? Object.entries(config.with).map(([key, value]) => `${key}=${value}`) : null,
        columns: config.columns.map((column) => (is(column, IndexedColumn) ? column.name : '(expression)')),
      })),
    )
    expect(rows).toEqual(expected.sort((a, b) => (a.index < b.index ? -1 : 1)))
  })

  it('has the primary keys, unique constraints and checks of the schema', async () => {
    const rows = await catalog(`
      SELECT t.name AS table, k.contype::text AS type, CASE k.contype WHEN 'p' THEN '' ELSE k.conname::text END AS name,
        CASE k.contype WHEN 'c' THEN '{}' ELSE (
          SELECT array_agg(a.attname::text ORDER BY c.position) FROM unnest(k.conkey) WITH ORDINALITY AS c (number, position)
          JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.number) END AS columns
      FROM t JOIN pg_constraint k ON k.conrelid = t.oid WHERE k.contype IN ('p', 'u', 'c')`)
    const expected = tables.flatMap((table) => [
      ...table.columns.filter((column) => column.primary).map((column) => row(table, 'p', '', [column.name])),
      ...table.primaryKeys.map((key) =>
        row(
          table,
          'p',
          '',
          key.columns.map((column) => column.name),
        ),
      ),
      ...table.columns
        .filter((column) => column.isUnique)
        .map((column) => row(table, 'u', column.uniqueName ?? '', [column.name])),
      ...table.uniqueConstraints.map((key) =>
        row(
          table,
          'u',
          key.getName() ?? '',
          key.columns.map((column) => column.name),
        ),
      ),
      ...table.checks.map((check) => row(table, 'c', check.name, [])),
    ])
    expect(new Set(rows.map((found) => JSON.stringify(found)))).toEqual(
      new Set(expected.map((wanted) => JSON.stringify(wanted))),
    )

    function row(
      table: { schema: string | undefined; name: string },
      type: string,
      name: string,
      columns: string[],
    ) {
      return { table: nameOf(table), type, name, columns }
    }
  })

  it('has the foreign keys of the schema', async () => {
    const rows = await catalog<{ name: string }>(`
      SELECT t.name AS table, k.conname::text AS name, f.name AS target, k.confdeltype::text AS "onDelete",
        (SELECT attname::text FROM pg_attribute WHERE attrelid = t.oid AND attnum = k.conkey[1]) AS column,
        (SELECT attname::text FROM pg_attribute WHERE attrelid = f.oid AND attnum = k.confkey[1]) AS "targetColumn"
      FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f' JOIN t f ON f.oid = k.confrelid
      ORDER BY t.name COLLATE "C", k.conname COLLATE "C"`)
    const expected = tables.flatMap((table) =>
      table.foreignKeys.map((key) => {
        const { columns, foreignColumns, foreignTable } = key.reference()
        return {
          table: nameOf(table),
          name: key.getName(),
          target: nameOf(getTableConfig(foreignTable)),
          onDelete: key.onDelete === 'cascade' ? 'c' : 'a',
          column: columns[0]?.name,
          targetColumn: foreignColumns[0]?.name,
        }
      }),
    )
    const key = (item: { table?: unknown; name: string }) => `${item.table} ${item.name}`
    expect(rows).toEqual(expected.sort((a, b) => (key(a) < key(b) ? -1 : 1)))
  })
})

describe('the design of the tables', () => {
  it('has an index for every foreign key', async () => {
    const rows = await catalog(`
      SELECT t.name, k.conname FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f'
      WHERE NOT EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indkey[0] = k.conkey[1] AND i.indpred IS NULL)`)
    expect(rows).toEqual([])
  })

  it("keeps the hot tables free of foreign keys, checks, triggers and more than their two indexes, of which the key of readings is the partitions'", async () => {
    const rows = await catalog(`
      SELECT t.name, pg_get_partkeydef(t.oid) AS partitioned,
        (SELECT count(*)::int FROM pg_index WHERE indrelid = t.oid) AS indexes,
        (SELECT count(*)::int FROM pg_trigger WHERE tgrelid = t.oid) AS triggers,
        (SELECT count(*)::int FROM pg_constraint WHERE conrelid = t.oid AND contype IN ('f', 'c')) AS constraints,
        (SELECT count(*)::int FROM pg_attrdef WHERE adrelid = t.oid) AS defaults
      FROM t WHERE name IN ('${HOT_TABLES.join("', '")}') ORDER BY name DESC`)
    const lean = { triggers: 0, constraints: 0, defaults: 0 }
    expect(rows).toEqual([
      { name: 'public.sensor_readings', partitioned: 'RANGE (recorded_at)', indexes: 1, ...lean },
      { name: 'public.door_events', partitioned: 'RANGE (occurred_at)', indexes: 2, ...lean },
    ])
  })

  it('keeps updated_at by a trigger wherever there is one', async () => {
    const rows = await catalog(`
      SELECT t.name FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'updated_at'
      WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = t.oid AND tgname = 'set_updated_at')`)
    expect(rows).toEqual([])
  })

  it('stores structured data as jsonb, and instants with time zone and milliseconds', async () => {
    const rows = await catalog(`
      SELECT t.name, a.attname, format_type(a.atttypid, a.atttypmod) FROM t
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0
      WHERE format_type(a.atttypid, a.atttypmod) ~ '^(json$|timestamp)' AND
        format_type(a.atttypid, a.atttypmod) <> 'timestamp(3) with time zone'`)
    expect(rows).toEqual([])
  })

  it('exports every schema that its tables are in', () => {
    const declared = exported.filter((value) => isPgSchema(value)).map((item) => item.schemaName)
    const used = tables.map((table) => table.schema).filter((name) => name !== undefined)
    expect(new Set(used)).toEqual(new Set(declared))
  })
})

describe('column types of our own', () => {
  it('reads and writes the infinite ends of a period as the outermost dates', async () => {
    const db = drizzle(client)
    const [organization] = await db
      .insert(schema.organizations)
      .values({ slug: 'periods', name: 'Periods' })
      .returning()
    const organizationId = organization?.id ?? 0
    const [device] = await db
      .insert(schema.devices)
      .values({ organizationId, deviceEui: '24e124136b502f4a' })
      .returning()
    const [assignment] = await db.select().from(schema.deviceAssignments)
    expect(assignment).toMatchObject({
      deviceId: device?.id,
      validFrom: new Date(-8.64e15),
      validTo: new Date(8.64e15),
    })
    const at = new Date('2026-11-20T10:15:02.120Z')
    await db.update(schema.deviceAssignments).set({ validFrom: at, validTo: new Date(8.64e15) })
    const [stored] = await db
      .select({ from: schema.deviceAssignments.validFrom, to: sql<string>`valid_to::text` })
      .from(schema.deviceAssignments)
    expect(stored).toEqual({ from: at, to: 'infinity' })
  })
})
