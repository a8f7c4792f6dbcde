import { sql } from 'drizzle-orm'
import { check, index, integer, jsonb, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { bytea, entityColumns, instant } from './columns.ts'
import { organizations } from './tenancy.ts'
import { profiles } from './users.ts'

/** Who did what: append-only, a SHA-256 chain per organization that starts at 32 zero bytes. */
export const eventLogs = pgTable(
  'event_logs',
  {
    ...entityColumns(),
    organizationId: integer('organization_id')
      .notNull()
      .references(() => organizations.id),
    /** Null = not a person; `actor` says what. */
    actorProfileId: integer('actor_profile_id').references(() => profiles.id),
    actor: text('actor').notNull(),
    action: text('action').notNull(),
    entityType: text('entity_type').notNull(),
    entityId: integer('entity_id'),
    oldValues: jsonb('old_values').$type<Record<string, unknown>>(),
    newValues: jsonb('new_values').$type<Record<string, unknown>>(),
    occurredAt: instant('occurred_at').notNull(),
    previousHash: bytea('previous_hash').notNull(),
    hash: bytea('hash').notNull(),
  },
  (t) => [
    // Two successors of one entry would be a fork of the chain.
    unique('event_logs_organization_id_previous_hash_key').on(t.organizationId, t.previousHash),
    // The chain is read in this order, from its head and from its start.
    index('event_logs_organization_id_id_idx').on(t.organizationId, t.id),
    index('event_logs_organization_id_occurred_at_idx').on(t.organizationId, t.occurredAt),
    index('event_logs_organization_id_entity_idx').on(t.organizationId, t.entityType, t.entityId),
    index('event_logs_actor_profile_id_idx').on(t.actorProfileId),
    check(
      'event_logs_hash_check',
      sql`octet_length(${t.hash}) = 32 and octet_length(${t.previousHash}) = 32`,
    ),
  ],
)
