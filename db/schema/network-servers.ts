import { sql } from 'drizzle-orm'
import { check, index, integer, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { instant, softDeletableColumns } from './columns.ts'
import { pipeline } from './pipeline-schema.ts'
import { organizations } from './tenancy.ts'

/** LoRaWAN network servers that publish to us; username `ns:<key>`. */
export const networkServers = pipeline.table(
  'network_servers',
  {
    ...softDeletableColumns(),
    organizationId: integer('organization_id')
      .notNull()
      .references(() => organizations.id),
    key: text('key').notNull(),
    name: text('name'),
    credentialHash: text('credential_hash'),
  },
  (t) => [
    index('network_servers_organization_id_idx').on(t.organizationId),
    uniqueIndex('network_servers_key_live_key').on(t.key).where(sql`${t.deletedAt} is null`),
    check('network_servers_key_check', sql`${t.key} ~ '^[a-z0-9][a-z0-9-]{0,63}$'`),
  ],
)

/** The secret of an organization's operators; username `operator:<slug>`. */
export const operatorCredentials = pipeline.table('operator_credentials', {
  organizationId: integer('organization_id')
    .primaryKey()
    .references(() => organizations.id),
  credentialHash: text('credential_hash').notNull(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
})
