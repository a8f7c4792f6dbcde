import type { Client } from 'pg'
import type { RejectCounts } from '../ledger/ledger.ts'

/** One reason: what was sent to be rejected, and how many rejected items the database has. */
export interface RejectLine extends RejectCounts {
  reason: string
  kept: number
  /** Every acknowledged one must be kept, and none that was not sent. */
  isOff: boolean
}

/** Per reason, what the database has of our clients since the run began. */
export async function keptRejects(
  client: Client,
  subject: { clients: readonly string[]; startedAtMs: number },
): Promise<Map<string, number>> {
  const { rows } = await client.query<{ reason: string; kept: number }>(
    `SELECT reason, count(*)::int AS kept FROM pipeline.rejected_messages
     WHERE client = ANY ($1::text[]) AND received_at >= to_timestamp($2::float8 / 1000) GROUP BY reason`,
    [subject.clients, subject.startedAtMs],
  )
  return new Map(rows.map(({ reason, kept }) => [reason, kept]))
}

/** Only bounds are certain: a message that was cut off may have been taken or not, each time that it was sent. */
export function compareRejects(
  expected: ReadonlyMap<string, RejectCounts>,
  kept: ReadonlyMap<string, number>,
): RejectLine[] {
  const reasons = [...new Set([...expected.keys(), ...kept.keys()])].sort()
  return reasons.map((reason) => {
    const { sent, acknowledged } = expected.get(reason) ?? { sent: 0, acknowledged: 0 }
    const found = kept.get(reason) ?? 0
    return { reason, sent, acknowledged, kept: found, isOff: found < acknowledged || found > sent }
  })
}
