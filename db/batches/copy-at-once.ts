import type { Connection, PoolClient, Submittable } from 'pg'

const COPY_DATA = 0x64
const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4])
/** Of the length itself, which counts. */
const LENGTH_BYTES = 4

/**
 * Sends statements, among them one COPY, together with the COPY's data, and resolves when all are done: one round trip,
 * where a COPY otherwise waits for the server's word that it takes data. That wait is a turn of our event loop, which is
 * tens of milliseconds when a thousand hubs send. When a statement fails the server passes over the rest of them and over
 * the data (PostgresMain ignores CopyData and CopyDone outside of a COPY), and the promise rejects with what it said. When
 * that comes before the COPY begins, the connection is ended.
 */
export function copyAtOnce(client: PoolClient, sql: string, data: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const copy = new CopyAtOnce(sql, data, (error) => {
      if (!error) return resolve()
      // PgBouncer from 1.21 on waits for the answer to our CopyDone, which never comes then: the server's connection would
      // stay with ours for as long as ours is open (its server.c, `outstanding_requests`).
      if (!copy.hasBegun) client.end().catch(() => {})
      reject(error)
    })
    client.query(copy)
  })
}

/** What pg calls back: its types know only a part of it. */
class CopyAtOnce implements Submittable {
  readonly text: string
  readonly #data: Buffer
  /** Whether the server has come to the COPY. */
  hasBegun = false
  /** pg wraps it to stop the clock of its own time limit. */
  callback: (error?: Error) => void

  constructor(sql: string, data: Buffer, callback: (error?: Error) => void) {
    this.text = sql
    this.#data = data
    this.callback = callback
  }

  submit(connection: Connection): void {
    const { stream } = connection
    const header = Buffer.allocUnsafe(1 + LENGTH_BYTES)
    header.writeUInt8(COPY_DATA)
    header.writeUInt32BE(this.#data.length + LENGTH_BYTES, 1)
    stream.cork()
    connection.query(this.text)
    stream.write(header)
    stream.write(this.#data)
    stream.write(COPY_DONE)
    stream.uncork()
  }

  handleReadyForQuery(): void {
    this.callback()
  }

  handleError(error: Error): void {
    this.callback(error)
  }

  /** The data is on its way already. */
  handleCopyInResponse(): void {
    this.hasBegun = true
  }

  // Nobody asks for rows.
  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
}
