import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import type { SpoolStats } from './types.ts'
import type { EncodedBatch } from './worker-messages.ts'

/** A row without its content. */
export interface BatchRow extends Omit<EncodedBatch, 'content'> {
  /** In order of append. */
  seq: number
  contentBytes: number
  crc: number
}

const COLUMNS = 'seq, id, writer, tried, messages, readings, doors, status, received_at, crc'

/** The statements on the table of batches. */
export class BatchRows {
  readonly #insert: StatementSync
  readonly #after: StatementSync
  readonly #find: StatementSync
  readonly #content: StatementSync
  readonly #delete: StatementSync
  readonly #totals: StatementSync

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(
      `INSERT INTO batches (id, writer, tried, messages, readings, doors, status, received_at, crc, content)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    const select = `SELECT ${COLUMNS}, length(content) AS bytes FROM batches WHERE seq > ?`
    this.#after = readingBigInts(database.prepare(`${select} ORDER BY seq LIMIT 1`))
    // No index: what is looked for is removed, so it stands at the beginning.
    this.#find = readingBigInts(database.prepare(`${select} AND id = ? AND writer = ? ORDER BY seq LIMIT 1`))
    this.#content = database.prepare('SELECT content FROM batches WHERE seq = ?')
    this.#delete = database.prepare('DELETE FROM batches WHERE seq = ?')
    this.#totals = database.prepare(
      `SELECT count(*) AS batches, total(messages) AS messages,
         total(readings) AS readings, total(doors) AS doors, total(status) AS status FROM batches`,
    )
  }

  insert({ id, writer, tried, messages, items, receivedAtMs, content }: EncodedBatch): void {
    const { readings, doors, status } = items
    this.#insert.run(
      id,
      writer,
      Number(tried),
      messages,
      readings,
      doors,
      status,
      Math.floor(receivedAtMs),
      crc32(content),
      content,
    )
  }

  delete(seq: number): void {
    this.#delete.run(seq)
  }

  /** The first row after this one. */
  after(seq: number): BatchRow | undefined {
    return toRow(this.#after.get(seq))
  }

  /** The first row of this batch after that one. */
  find(seq: number, { id, writer }: { id: bigint; writer: string }): BatchRow | undefined {
    return toRow(this.#find.get(seq, id, writer))
  }

  /** A row's content; undefined if it is not what was written. */
  contentOf({ seq, crc }: BatchRow): Uint8Array<ArrayBuffer> | undefined {
    const content = this.#content.get(seq)?.['content'] as Uint8Array<ArrayBuffer> | undefined
    return content && crc32(content) === crc ? content : undefined
  }

  totals(): Pick<SpoolStats, 'batches' | 'messages' | 'items'> {
    const row = this.#totals.get() ?? {}
    const total = (name: string) => Number(row[name])
    return {
      batches: total('batches'),
      messages: total('messages'),
      items: { readings: total('readings'), doors: total('doors'), status: total('status') },
    }
  }
}

/** Batch ids have 63 bits. */
function readingBigInts(statement: StatementSync): StatementSync {
  statement.setReadBigInts(true)
  return statement
}

function toRow(row: Record<string, unknown> | undefined): BatchRow | undefined {
  if (!row) return undefined
  const number = (name: string) => Number(row[name])
  return {
    seq: number('seq'),
    id: row['id'] as bigint,
    writer: String(row['writer']),
    tried: number('tried') === 1,
    messages: number('messages'),
    items: { readings: number('readings'), doors: number('doors'), status: number('status') },
    receivedAtMs: number('received_at'),
    contentBytes: number('bytes'),
    crc: number('crc'),
  }
}
