import type { Pool } from 'pg'
import { type RejectReason, storable } from '../batches/write-rejected.ts'
import { notLookedAtSince, type ReplayScope } from './pages.ts'

/** A rejected item that was looked at again and stays rejected. */
export interface KeptItem {
  id: string
  /** Why, as it is found now; null leaves what stands there. */
  verdict: {
    reason: RejectReason
    detail: string
    device: string | null
    /** The SQLSTATE where PostgreSQL refused it. */
    sqlstate: string | null
  } | null
}

/**
 * Notes why rejected items stay so, and when that was found. Passes over items that are gone, locked, or that another
 * run has looked at since this one began; returns the ids of the others.
 */
export async function keepRejected(
  pool: Pool,
  items: readonly KeptItem[],
  { startedAt }: Pick<ReplayScope, 'startedAt'>,
): Promise<Set<string>> {
  const result = await pool.query<{ id: string }>(
    `WITH free AS MATERIALIZED (
       SELECT m.id FROM pipeline.rejected_messages m WHERE m.id = ANY ($1::int8[]) AND ${notLookedAtSince('$6')}
       ORDER BY m.id FOR UPDATE SKIP LOCKED
     )
     UPDATE pipeline.rejected_messages m
     SET reason = coalesce(g.reason, m.reason), detail = coalesce(g.detail, m.detail),
       device = coalesce(g.device, m.device),
       sqlstate = CASE WHEN g.reason IS NULL THEN m.sqlstate ELSE g.sqlstate END,
       replayed_at = clock_timestamp()
     FROM free JOIN unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::text[])
       AS g (id, reason, detail, device, sqlstate) ON g.id = free.id
     WHERE m.id = free.id RETURNING m.id`,
    [
      items.map((item) => item.id),
      items.map(({ verdict }) => verdict?.reason ?? null),
      items.map(({ verdict }) => (verdict ? storable(verdict.detail) : null)),
      items.map(({ verdict }) => (verdict?.device ? storable(verdict.device) : null)),
      items.map(({ verdict }) => verdict?.sqlstate ?? null),
      startedAt,
    ],
  )
  return new Set(result.rows.map(({ id }) => id))
}
