import { desc, eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import type { PoolClient } from 'pg'
import type { Transaction } from '../client.ts'
import { eventLogs, organizations } from '../schema/index.ts'
import { together } from '../together.ts'
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
  await appendBehind(tx, { organizationId, events, head: await chainHead(tx, organizationId) })
}

/**
 * The same for several organizations, in few round trips: see `together`. In the order of their ids, so that two that write to several
 * chains cannot wait for each other.
 */
export async function appendToAuditChains(
  client: PoolClient,
  eventsOf: ReadonlyMap<number, readonly AuditEvent[]>,
): Promise<void> {
  const tx = drizzle(client)
  const organizationIds = [...eventsOf.keys()].sort((a, b) => a - b)
  const heads = await together(
    client,
    organizationIds.map((id) => () => lockedChainHead(client, tx, id)),
  )
  await together(
    client,
    organizationIds.map((organizationId, place) => () => {
      const events = eventsOf.get(organizationId) ?? []
      return appendBehind(tx, { organizationId, events, head: heads[place] ?? CHAIN_START })
    }),
  )
}

async function lockedChainHead(client: PoolClient, tx: AuditTransaction, organizationId: number) {
  const [, head] = await together(client, [
    () => lockAuditChain(tx, organizationId),
    () => chainHead(tx, organizationId),
  ])
  return head
}

async function appendBehind(
  tx: AuditTransaction,
  { organizationId, events, head }: { organizationId: number; events: readonly AuditEvent[]; head: Buffer },
): Promise<void> {
  const contents = events.map((event) => ({
    ...event,
    organizationId,
    actorProfileId: event.actorProfileId ?? null,
  }))
  const entries = chainEntries(head, contents)
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
