import { sql } from 'drizzle-orm'
import { bigint, boolean, check, index, integer, jsonb, text, uuid } from 'drizzle-orm/pg-core'
import { bytea, instant, xid8 } from './columns.ts'
import { hubs } from './hierarchy.ts'
import { pipeline } from './pipeline-schema.ts'

const count = (name: string) => integer(name).notNull().default(0)

/**
 * The ledger: one row per committed batch, in the transaction of its readings. `(tx, id)` is an order in which a
 * reader misses nothing, as long as it stays below `pg_snapshot_xmin(pg_current_snapshot())`.
 */
export const ingestBatches = pipeline.table(
  'ingest_batches',
  {
    /** Chosen by ingest, so that a commit whose answer was lost can be looked up. */
    id: bigint('id', { mode: 'bigint' }).primaryKey(),
    tx: xid8('tx').notNull().default(sql`pg_current_xact_id()`),
    readings: count('readings'),
    readingsDuplicate: count('readings_duplicate'),
    doors: count('doors'),
    doorsDuplicate: count('doors_duplicate'),
    rejected: count('rejected'),
    /** Which messages of which hubs the batch made durable. */
    receipts: jsonb('receipts'),
    committedAt: instant('committed_at').defaultNow(),
    /** The process that wrote it: two processes that chose the same id must not take each other's batch for their own. */
    writer: uuid('writer').notNull().default(sql`gen_random_uuid()`),
    /**
     * The lowest and the highest time of its readings and door events, so that they are found in few partitions. Null where it
     * has none, and in rows of early versions.
     */
    recordedFrom: instant('recorded_from'),
    recordedTo: instant('recorded_to'),
  },
  (t) => [index('ingest_batches_tx_id_idx').on(t.tx, t.id)],
)

/** How far a reader of the ledger has come. */
export const watermarks = pipeline.table('watermarks', {
  name: text('name').primaryKey(),
  batchId: bigint('batch_id', { mode: 'bigint' }).notNull(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
})

/** The raw bytes of a message that has rejects, kept once. */
export const rejectedPayloads = pipeline.table(
  'rejected_payloads',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    batchId: bigint('batch_id', { mode: 'bigint' }).notNull(),
    topic: text('topic').notNull(),
    /** Username. */
    client: text('client').notNull(),
    /** Not a foreign key: evidence outlives what it is about. */
    organizationId: integer('organization_id'),
    receivedAt: instant('received_at').notNull(),
    /** Of the whole message, also where only its beginning was kept. */
    sizeBytes: integer('size_bytes').notNull(),
    payload: bytea('payload').notNull(),
    truncated: boolean('truncated').notNull().default(false),
  },
  (t) => [
    index('rejected_payloads_received_at_idx').on(t.receivedAt),
    index('rejected_payloads_client_id_idx').on(t.client, t.id),
    index('rejected_payloads_batch_id_idx').on(t.batchId),
  ],
)

/** What was not stored, and why: one row per message or per item of it. */
export const rejectedMessages = pipeline.table(
  'rejected_messages',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    payloadId: bigint('payload_id', { mode: 'number' })
      .notNull()
      .references(() => rejectedPayloads.id, { onDelete: 'cascade' }),
    reason: text('reason', {
      enum: ['malformed', 'invalid', 'unknown_device', 'not_your_device', 'clock', 'too_large'],
    }).notNull(),
    detail: text('detail').notNull(),
    device: text('device'),
    /** Index in the message; null = the message whole. */
    item: integer('item'),
    topic: text('topic').notNull(),
    client: text('client').notNull(),
    organizationId: integer('organization_id'),
    receivedAt: instant('received_at').notNull(),
    /** The database's error code, where the database refused it. */
    sqlstate: text('sqlstate'),
    /** When a replay last looked at it, and it stayed. */
    replayedAt: instant('replayed_at'),
  },
  (t) => [
    index('rejected_messages_payload_id_idx').on(t.payloadId),
    index('rejected_messages_client_id_idx').on(t.client, t.id),
    index('rejected_messages_received_at_idx').on(t.receivedAt),
    check(
      'rejected_messages_reason_check',
      sql`${t.reason} in ('malformed', 'invalid', 'unknown_device', 'not_your_device', 'clock', 'too_large')`,
    ),
  ],
)

/** Per hub: up to which of its message counters everything is durable. */
export const receipts = pipeline.table('receipts', {
  hubId: integer('hub_id')
    .primaryKey()
    .references(() => hubs.id, { onDelete: 'cascade' }),
  boot: text('boot').notNull(),
  seq: bigint('seq', { mode: 'number' }).notNull(),
  /** Gaps that were passed over. */
  missing: jsonb('missing').notNull().default([]),
  /** Start ids and the ranges of counters seen of each. */
  state: jsonb('state').notNull(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
})
