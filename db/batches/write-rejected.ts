import type { PoolClient } from 'pg'

export type RejectReason =
  | 'malformed'
  | 'invalid'
  | 'unknown_device'
  | 'not_your_device'
  | 'clock'
  | 'too_large'

/** One item that was not stored, or a message as a whole. */
export interface RejectedItem {
  reason: RejectReason
  /** What is wrong, with the path of the field. */
  detail: string
  device: string | null
  /** Index in its message, null for the message as a whole. */
  item: number | null
  /** The SQLSTATE where PostgreSQL refused it. */
  sqlstate: string | null
}

/** A message with rejected items; its bytes are kept once. */
export interface RejectedMessage {
  topic: string
  /** Username of the publisher. */
  client: string
  organizationId: number
  receivedAtMs: number
  payload: Buffer
  /** Size of the message as it was sent; larger than `payload` where only its beginning was kept. */
  sizeBytes: number
  items: readonly RejectedItem[]
}

/** PostgreSQL's text takes neither NUL nor half a surrogate pair; what was sent is in the payload's bytes. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD')
}

/** Keeps rejected messages and their items within the caller's transaction. */
export async function writeRejected(
  client: PoolClient,
  messages: readonly RejectedMessage[],
  batchId: bigint,
): Promise<void> {
  const ids = await client.query<{ id: string }>(
    `SELECT nextval(pg_get_serial_sequence('pipeline.rejected_payloads', 'id')) AS id FROM generate_series(1, $1)`,
    [messages.length],
  )
  await client.query(
    `INSERT INTO pipeline.rejected_payloads
       (id, batch_id, topic, client, organization_id, received_at, size_bytes, payload, truncated)
     OVERRIDING SYSTEM VALUE
     SELECT id, $2, topic, client, organization_id, to_timestamp(received_at_ms / 1000), size_bytes, payload, truncated
     FROM unnest($1::int8[], $3::text[], $4::text[], $5::int4[], $6::float8[], $7::int4[], $8::bytea[], $9::boolean[])
       AS given (id, topic, client, organization_id, received_at_ms, size_bytes, payload, truncated)`,
    [
      ids.rows.map((row) => row.id),
      batchId,
      messages.map((message) => message.topic),
      messages.map((message) => message.client),
      messages.map((message) => message.organizationId),
      messages.map((message) => message.receivedAtMs),
      messages.map((message) => message.sizeBytes),
      messages.map((message) => message.payload),
      messages.map((message) => message.payload.length < message.sizeBytes),
    ],
  )
  const items = messages.flatMap((message, index) =>
    message.items.map((item) => ({ ...item, payloadId: ids.rows[index]?.id })),
  )
  await client.query(
    `INSERT INTO pipeline.rejected_messages
       (payload_id, reason, detail, device, item, topic, client, organization_id, received_at, sqlstate)
     SELECT p.id, given.reason, given.detail, given.device, given.item, p.topic, p.client, p.organization_id, p.received_at,
       given.sqlstate
     FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::int4[], $6::text[])
       WITH ORDINALITY AS given (payload_id, reason, detail, device, item, sqlstate, position)
     JOIN pipeline.rejected_payloads p ON p.id = given.payload_id
     ORDER BY given.position`,
    [
      items.map((item) => item.payloadId),
      items.map((item) => item.reason),
      items.map((item) => storable(item.detail)),
      items.map((item) => (item.device === null ? null : storable(item.device))),
      items.map((item) => item.item),
      items.map((item) => item.sqlstate),
    ],
  )
}
