import type { Pool } from 'pg'
import type { RejectReason } from '../batches/write-rejected.ts'
import { NO_ORGANIZATION } from '../registry.ts'

const PAGE_ITEMS_MAX = 1_000
/** A page has at least one message, however large that is. */
const PAGE_BYTES_MAX = 4 * 1024 * 1024

/** Which rejected items are looked at; what is absent is no condition. */
export interface RejectedFilter {
  reasons?: readonly RejectReason[] | undefined
  /** Username of the publisher. */
  client?: string | undefined
  /** 16 lower-case hex digits. Items of which no device is known are among the result: their bytes tell. */
  device?: string | undefined
  /** Items of senders who had no organization are among the result only where a client is named. */
  organizationId?: number | undefined
  /** Time of arrival from here on, epoch milliseconds. */
  sinceMs?: number | undefined
  /** Time of arrival before this, epoch milliseconds. */
  untilMs?: number | undefined
}

/** What a run looks at: items that were there when it began, and that no other run has looked at since. */
export interface ReplayScope {
  newestId: string
  /** The database's clock, to the millisecond as `replayed_at` is. */
  startedAt: string
}

export interface RejectedEntry {
  id: string
  payloadId: string
  reason: RejectReason
  /** As it was sent. */
  device: string | null
  /** Index in its message, null for the message as a whole. */
  item: number | null
}

export interface RejectedPayload {
  id: string
  topic: string
  /** Username of the publisher. */
  client: string
  organizationId: number | null
  receivedAtMs: number
  payload: Buffer
  /** Only its beginning was kept. */
  truncated: boolean
}

export interface RejectedPage {
  entries: RejectedEntry[]
  /** By their ids. */
  payloads: Map<string, RejectedPayload>
}

export async function openReplayScope(pool: Pool): Promise<ReplayScope> {
  const result = await pool.query<ReplayScope>(
    `SELECT coalesce(max(id), 0)::text AS "newestId", date_trunc('milliseconds', now())::text AS "startedAt"
     FROM pipeline.rejected_messages`,
  )
  const [scope] = result.rows
  if (!scope) throw new Error('PostgreSQL has answered a SELECT of one row with none.')
  return scope
}

/**
 * Condition that no run has looked at an item of `m` since the time in the parameter. A mark from the future is one from
 * before the clock was set back: it must not hide the item.
 */
export function notLookedAtSince(parameter: string): string {
  return `(m.replayed_at IS NULL OR m.replayed_at < ${parameter}::timestamptz
    OR m.replayed_at > clock_timestamp() + interval '1 second')`
}

/**
 * The next items of the scope that the filter lets through, in the order in which they were kept: at most `itemsMax`,
 * and a page of them. Undefined at the end.
 */
export async function rejectedPage(
  pool: Pool,
  filter: RejectedFilter,
  from: ReplayScope & { afterId: string; itemsMax: number },
): Promise<RejectedPage | undefined> {
  const entries = await findEntries(pool, filter, from)
  if (entries.length === 0) return undefined
  return { entries, payloads: await loadPayloads(pool, entries) }
}

/**
 * Bounded by the bytes of the payloads too: what would exceed them is left for the next page. The scope's end is not part
 * of the query: between two ends PostgreSQL expects few rows where it has no statistics, and sorts all of them.
 */
async function findEntries(
  pool: Pool,
  filter: RejectedFilter,
  { newestId, startedAt, afterId, itemsMax }: ReplayScope & { afterId: string; itemsMax: number },
): Promise<RejectedEntry[]> {
  const result = await pool.query<RejectedEntry & { bytes: number }>(
    `SELECT i.id, i.payload_id AS "payloadId", i.reason, i.device, i.item, octet_length(p.payload) AS bytes
     FROM (
       SELECT * FROM pipeline.rejected_messages m WHERE m.id > $1 AND ${notLookedAtSince('$2')}
         AND ($3::text[] IS NULL OR m.reason = ANY ($3))
         AND ($4::text IS NULL OR m.client = $4)
         AND ($5::text IS NULL OR m.device IS NULL OR lower(translate(m.device, ':-', '')) = $5)
         AND ($6::int4 IS NULL OR m.organization_id = $6
           OR $4 IS NOT NULL AND m.organization_id = ${NO_ORGANIZATION})
         AND ($7::float8 IS NULL OR m.received_at >= to_timestamp($7 / 1000))
         AND ($8::float8 IS NULL OR m.received_at < to_timestamp($8 / 1000))
       ORDER BY m.id LIMIT least($9::int8, ${PAGE_ITEMS_MAX})
     ) i JOIN pipeline.rejected_payloads p ON p.id = i.payload_id
     ORDER BY i.id`,
    [
      afterId,
      startedAt,
      filter.reasons,
      filter.client,
      filter.device,
      filter.organizationId,
      filter.sinceMs,
      filter.untilMs,
      itemsMax,
    ],
  )
  return withinBytes(result.rows.filter(({ id }) => BigInt(id) <= BigInt(newestId)))
}

function withinBytes(rows: readonly (RejectedEntry & { bytes: number })[]): RejectedEntry[] {
  const payloads = new Set<string>()
  let bytesLeft = PAGE_BYTES_MAX
  const entries: RejectedEntry[] = []
  for (const { bytes, ...entry } of rows) {
    if (!payloads.has(entry.payloadId)) {
      bytesLeft -= bytes
      if (bytesLeft < 0 && payloads.size > 0) break
      payloads.add(entry.payloadId)
    }
    entries.push(entry)
  }
  return entries
}

async function loadPayloads(
  pool: Pool,
  entries: readonly RejectedEntry[],
): Promise<Map<string, RejectedPayload>> {
  const result = await pool.query<RejectedPayload>(
    `SELECT id, topic, client, organization_id AS "organizationId",
       round(extract(epoch FROM received_at) * 1000)::float8 AS "receivedAtMs", payload, truncated
     FROM pipeline.rejected_payloads WHERE id = ANY ($1::int8[])`,
    [[...new Set(entries.map(({ payloadId }) => payloadId))]],
  )
  return new Map(result.rows.map((payload) => [payload.id, payload]))
}
