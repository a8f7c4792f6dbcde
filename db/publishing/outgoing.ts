import type { ClientBase, Pool } from 'pg'
import { queryWithLimit } from '../limited-query.ts'

export interface OutgoingMessage {
  topic: string
  payload: string
  retain: boolean
}

export interface OutgoingRow extends OutgoingMessage {
  id: number
}

/** Puts messages, in their order, behind those that are there: published when, and if, the transaction commits. */
export async function putOutgoing(client: ClientBase, messages: readonly OutgoingMessage[]): Promise<void> {
  if (messages.length === 0) return
  await client.query(
    `INSERT INTO pipeline.outgoing_messages (topic, payload, retain)
     SELECT g.topic, g.payload, g.retain
     FROM unnest($1::text[], $2::text[], $3::bool[]) WITH ORDINALITY AS g (topic, payload, retain, place)
     ORDER BY g.place`,
    [
      messages.map(({ topic }) => topic),
      messages.map(({ payload }) => payload),
      messages.map(({ retain }) => retain),
    ],
  )
}

/**
 * The next messages in order: whatever is not retained, and what is retained after `retainedId`. A retained message stays
 * when it is published, for the broker forgets it in a restart.
 */
export async function readOutgoing(
  pool: Pool,
  { retainedId, rowsMax }: { retainedId: number; rowsMax: number },
): Promise<OutgoingRow[]> {
  const { rows } = await queryWithLimit<OutgoingRow>(
    pool,
    `SELECT id::float8 AS id, topic, payload, retain FROM pipeline.outgoing_messages
     WHERE NOT retain OR id > $1 ORDER BY id LIMIT $2`,
    [retainedId, rowsMax],
  )
  return rows
}

/** Deletes what has been published; of retained ones the newest of each topic stays. */
export async function settleOutgoing(pool: Pool, published: readonly OutgoingRow[]): Promise<void> {
  if (published.length === 0) return
  const retained = published.filter(({ retain }) => retain)
  await queryWithLimit(
    pool,
    `WITH superseded AS (
       DELETE FROM pipeline.outgoing_messages m USING unnest($2::int8[], $3::text[]) AS g (id, topic)
       WHERE m.retain AND m.topic = g.topic AND m.id < g.id
     )
     DELETE FROM pipeline.outgoing_messages WHERE id = ANY ($1::int8[]) AND NOT retain`,
    [published.map(({ id }) => id), retained.map(({ id }) => id), retained.map(({ topic }) => topic)],
  )
}
