import { desc, eq } from 'drizzle-orm'
import type { Transaction } from '../client.ts'
import { eventLogs, organizations } from '../schema/index.ts'
import { type AuditContent, CHAIN_START, chainEntries } from './chain.ts'

/** What to record; the organization is that of the chain. */
export type AuditEvent = Omit<AuditContent, 'organizationId' | 'actorProfileId'> & {
  /** The person who did it; absent = not a person, `actor` says what. */
  actorProfileId?: number | null
}

/** A transaction, of the database or of a client alone. */
type AuditTransaction = Pick<Transaction, 'select' | 'insert'>

/** Rows per statement: each has 11 parameters, and a statement holds 65,535. */
const ROWS_PER_INSERT = 1_000

/**
 * Makes every other writer of the organization's audit log wait until this transaction ends, so that the chain has
 * no fork. Rows that refer to the organization (readings, alerts, ...) can still be written meanwhile.
 */
export async function lockAuditChain(tx: AuditTransaction, organizationId: number): Promise<void> {
  await tx
    .select({ id: organizations.id })
    .from(organizations)
    .where(eq(organizations.id, organizationId))
    .for('no key update')
}

/**
 * Appends events, in their order, to the organization's audit log, within the caller's transaction. The organization
 * stays locked (see `lockAuditChain`) until it ends, so call this last. Never hand it a secret or a hash of one.
 */
export async function appendAuditEvents(
  tx: AuditTransaction,
  organizationId: number,
  events: readonly AuditEvent[],
): Promise<void> {
  if (events.length === 0) return
  await lockAuditChain(tx, organizationId)
  const contents = events.map((event) => ({
    ...event,
    organizationId,
    actorProfileId: event.actorProfileId ?? null,
  }))
  const entries = chainEntries(await chainHead(tx, organizationId), contents)
  for (let start = 0; start < entries.length; start += ROWS_PER_INSERT) {
    await tx.insert(eventLogs).values(entries.slice(start, start + ROWS_PER_INSERT))
  }
}

/** Under the lock ids are given out in the order of the chain. */
async function chainHead(tx: AuditTransaction, organizationId: number): Promise<Buffer> {
  const [last] = await tx
    .select({ hash: eventLogs.hash })
    .from(eventLogs)
    .where(eq(eventLogs.organizationId, organizationId))
    .orderBy(desc(eventLogs.id))
    .limit(1)
  return last?.hash ?? CHAIN_START
}
