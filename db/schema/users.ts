import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  unique,
  uniqueIndex,
} from 'drizzle-orm/pg-core'
import { entityColumns, softDeletableColumns } from './columns.ts'
import { appRole, notificationChannel } from './enums.ts'
import { sites } from './hierarchy.ts'
import { organizations } from './tenancy.ts'

/** A person. What the person may do, and for which organization, is in `user_roles`. */
export const profiles = pgTable(
  'profiles',
  {
    ...softDeletableColumns(),
    email: text('email').notNull(),
    fullName: text('full_name').notNull(),
    phone: text('phone'),
    /** BCP 47 tag. */
    locale: text('locale').notNull().default('en'),
    /** The person's id at the identity provider. */
    authSubject: text('auth_subject').unique(),
    /** Channels and quiet hours. */
    notificationPreferences: jsonb('notification_preferences')
      .$type<Record<string, unknown>>()
      .notNull()
      .default({}),
  },
  (t) => [
    uniqueIndex('profiles_email_live_key').on(sql`lower(${t.email})`).where(sql`${t.deletedAt} is null`),
  ],
)

export const userRoles = pgTable(
  'user_roles',
  {
    ...entityColumns(),
    organizationId: integer('organization_id')
      .notNull()
      .references(() => organizations.id),
    profileId: integer('profile_id')
      .notNull()
      .references(() => profiles.id),
    /** Null = every site of the organization. */
    siteId: integer('site_id').references(() => sites.id),
    role: appRole('role').notNull(),
  },
  (t) => [
    unique('user_roles_organization_id_profile_id_site_id_key')
      .on(t.organizationId, t.profileId, t.siteId)
      .nullsNotDistinct(),
    index('user_roles_profile_id_idx').on(t.profileId),
    index('user_roles_site_id_idx').on(t.siteId),
  ],
)

/** Whom an alert pages, in order of level. */
export const escalationContacts = pgTable(
  'escalation_contacts',
  {
    ...softDeletableColumns(),
    organizationId: integer('organization_id')
      .notNull()
      .references(() => organizations.id),
    /** Null = every site of the organization. */
    siteId: integer('site_id').references(() => sites.id),
    profileId: integer('profile_id').references(() => profiles.id),
    name: text('name').notNull(),
    email: text('email'),
    phone: text('phone'),
    /** 1 is paged first. */
    level: integer('level').notNull().default(1),
    channels: notificationChannel('channels').array().notNull().default(['email']),
    enabled: boolean('enabled').notNull().default(true),
  },
  (t) => [
    index('escalation_contacts_organization_id_level_idx').on(t.organizationId, t.level),
    index('escalation_contacts_site_id_idx').on(t.siteId),
    index('escalation_contacts_profile_id_idx').on(t.profileId),
    uniqueIndex('escalation_contacts_organization_id_name_live_key')
      .on(t.organizationId, t.name)
      .where(sql`${t.deletedAt} is null`),
    check('escalation_contacts_level_check', sql`${t.level} >= 1`),
  ],
)
