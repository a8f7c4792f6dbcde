import type { ClientBase, Pool } from 'pg'
import { LOCKS } from '../advisory-locks.ts'
import { queryWithLimit } from '../limited-query.ts'

export interface OutgoingMessage {
  topic: string
  payload: string
  retain: boolean
}

export interface OutgoingRow extends OutgoingMessage {
  id: number
}

const LOCK = LOCKS.outgoingMessages

/** Who puts messages waits here until whoever has put some has committed them: so ids are in the order of commits. */
export async function lockOutgoing(client: ClientBase): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock($1, $2)', [LOCK.space, LOCK.key])
}

/**
 * Puts messages, in their order, behind those that are there: published when, and if, the transaction commits. It must have the
 * lock (`lockOutgoing`).
 */
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
 * The next messages in order: what is not retained after `publishedId`, and what is retained after `retainedId`. A retained message
 * stays when it is published, for the broker forgets it in a restart.
 */
export async function readOutgoing(
  pool: Pool,
  { publishedId, retainedId, rowsMax }: { publishedId: number; retainedId: number; rowsMax: number },
): Promise<OutgoingRow[]> {
  const { rows } = await queryWithLimit<OutgoingRow>(
    pool,
    `SELECT id::float8 AS id, topic, payload, retain FROM pipeline.outgoing_messages
     WHERE id > least($1::int8, $2::int8) AND id > CASE WHEN retain THEN $1::int8 ELSE $2::int8 END ORDER BY id LIMIT $3`,
    [retainedId, publishedId, rowsMax],
  )
  return rows
}

/** Notes what a broker has published. Deletes what all have; of retained ones the newest of each topic stays. */
export async function settleOutgoing(
  pool: Pool,
  brokerId: string,
  published: readonly OutgoingRow[],
): Promise<void> {
  const last = published.at(-1)
  if (!last) return
  const retained = published.filter(({ retain }) => retain)
  await queryWithLimit(
    pool,
    `WITH superseded AS (
       DELETE FROM pipeline.outgoing_messages m USING unnest($2::int8[], $3::text[]) AS g (id, topic)
       WHERE m.retain AND m.topic = g.topic AND m.id < g.id
     ), noted AS (
       UPDATE pipeline.brokers SET published_id = $4 WHERE id = $1 AND published_id < $4
     )
     DELETE FROM pipeline.outgoing_messages WHERE NOT retain AND id <= least($4, (
       SELECT min(published_id) FROM pipeline.brokers WHERE id <> $1))`,
    [brokerId, retained.map(({ id }) => id), retained.map(({ topic }) => topic), last.id],
  )
}

/** Deletes what all brokers have published: two that note it at the same moment do not see each other. */
export async function forgetPublished(pool: Pool): Promise<void> {
  await queryWithLimit(
    pool,
    `DELETE FROM pipeline.outgoing_messages
     WHERE NOT retain AND id <= (SELECT min(published_id) FROM pipeline.brokers)`,
    [],
  )
}
