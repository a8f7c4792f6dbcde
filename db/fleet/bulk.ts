import { type SQL, sql } from 'drizzle-orm'
import type { Transaction } from '../client.ts'
import { byColumnName, columnOf, type Kind, type Values } from './kinds.ts'

/** Rows of one statement: it carries them as one JSON parameter. */
const ROWS_PER_STATEMENT = 2_000

/** Inserts rows and returns the values of the key columns and the ids, in no certain order. */
export async function insertRows(
  tx: Transaction,
  kind: Kind,
  rows: readonly Values[],
): Promise<{ id: number; values: Values }[]> {
  const inserted: { id: number; values: Values }[] = []
  for (const { recordset, names } of statements(kind, rows)) {
    const keys = kind.key.map((property) => sql`${sql.identifier(columnOf(kind, property).name)}`)
    const result = await tx.execute<Record<string, unknown>>(
      sql`insert into ${kind.table} (${list(names)}) select ${list(names)} from ${recordset}
        ${kind.addedByIngest ? overwriting(kind, names) : sql``}
        returning id, ${sql.join(keys, sql`, `)}`,
    )
    for (const row of result.rows) {
      const values = kind.key.map((property) => [property, row[columnOf(kind, property).name]])
      inserted.push({ id: Number(row['id']), values: Object.fromEntries(values) })
    }
  }
  return inserted
}

/** For kinds whose key is unique among removed rows too. */
function overwriting(kind: Kind, names: readonly string[]): SQL {
  const keys = kind.key.map((property) => columnOf(kind, property).name)
  const assignments = names
    .filter((name) => !keys.includes(name))
    .map((name) => sql`${sql.identifier(name)} = excluded.${sql.identifier(name)}`)
  return sql`on conflict (${list(keys)}) do update set ${sql.join([...assignments, sql`deleted_at = null`], sql`, `)}`
}

/** Updates rows by their `id`: every row must have the same properties. Resolves when all are written. */
export async function updateRows(tx: Transaction, kind: Kind, rows: readonly Values[]): Promise<void> {
  for (const { recordset, names } of statements(kind, rows)) {
    const assignments = names
      .filter((name) => name !== 'id')
      .map((name) => sql`${sql.identifier(name)} = given.${sql.identifier(name)}`)
    await tx.execute(
      sql`update ${kind.table} set ${sql.join(assignments, sql`, `)} from ${recordset}
        where ${columnOf(kind, 'id')} = given.id`,
    )
  }
}

/** The rows as something to select from, with the types of the table's columns. */
function* statements(kind: Kind, rows: readonly Values[]): Generator<{ recordset: SQL; names: string[] }> {
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    const chunk = rows.slice(start, start + ROWS_PER_STATEMENT).map((row) => byColumnName(kind, row))
    const recordset = sql`jsonb_populate_recordset(null::${kind.table}, ${JSON.stringify(chunk)}::jsonb) given`
    yield { recordset, names: Object.keys(chunk[0] ?? {}) }
  }
}

function list(names: readonly string[]): SQL {
  return sql.join(
    names.map((name) => sql.identifier(name)),
    sql`, `,
  )
}
