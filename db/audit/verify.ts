import { and, asc, eq, gt } from 'drizzle-orm'
import type { Database } from '../client.ts'
import { eventLogs } from '../schema/index.ts'
import { CHAIN_START, firstBreak } from './chain.ts'

const PAGE_ROWS = 5_000

/** `entries` counts those that are proven: all of them, or those before the break. */
export type ChainReport =
  | { intact: true; entries: number; head: Buffer }
  | { intact: false; entries: number; brokenAtId: number; reason: 'not_linked' | 'changed' }

/** Recomputes the organization's audit chain from its first entry. Reads a page at a time. */
export async function verifyAuditChain(db: Database, organizationId: number): Promise<ChainReport> {
  let head: Buffer = CHAIN_START
  let entries = 0
  let after = 0
  for (;;) {
    const page = await db
      .select()
      .from(eventLogs)
      .where(and(eq(eventLogs.organizationId, organizationId), gt(eventLogs.id, after)))
      .orderBy(asc(eventLogs.id))
      .limit(PAGE_ROWS)
    const broken = firstBreak(head, page)
    if (broken) {
      const proven = entries + page.indexOf(broken.entry)
      return { intact: false, entries: proven, brokenAtId: broken.entry.id, reason: broken.reason }
    }
    entries += page.length
    const last = page.at(-1)
    if (!last) return { intact: true, entries, head }
    head = last.hash
    after = last.id
  }
}
