import { sql } from 'drizzle-orm'
import { customType, integer, numeric, timestamp, uuid } from 'drizzle-orm/pg-core'

/** An instant with millisecond precision, read and written as a `Date`. */
export const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' })

/** Temperatures and their offsets in °C: exact hundredths, because limits are compared without rounding. */
export const celsius = (name: string) => numeric(name, { precision: 5, scale: 2, mode: 'number' })

/** The integer key that other tables refer to; it never leaves the database. */
export const identityId = () => integer('id').primaryKey().generatedAlwaysAsIdentity()

/** Columns of every entity table. A trigger of the migrations keeps `updated_at`. */
export const entityColumns = () => ({
  id: identityId(),
  publicId: uuid('public_id').notNull().default(sql`uuidv7()`).unique(),
  createdAt: instant('created_at').notNull().defaultNow(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
})

/** Entities that are marked as deleted and kept, because readings and alerts refer to them. */
export const softDeletableColumns = () => ({ ...entityColumns(), deletedAt: instant('deleted_at') })

const DATE_MS_MAX = 8.64e15

/**
 * An end of a period, where `-infinity` and `infinity` mean unbounded. A `Date` has no infinity, so these are the
 * earliest and the latest `Date` there is (±8.64e15 ms, ECMA-262 "Time Values and Time Range").
 */
export const periodBound = customType<{ data: Date; driverData: string }>({
  dataType: () => 'timestamp (3) with time zone',
  toDriver(value) {
    if (value.getTime() >= DATE_MS_MAX) return 'infinity'
    return value.getTime() <= -DATE_MS_MAX ? '-infinity' : value.toISOString()
  },
  fromDriver(value) {
    if (value === 'infinity') return new Date(DATE_MS_MAX)
    return value === '-infinity' ? new Date(-DATE_MS_MAX) : new Date(value)
  },
})

/** Bytes. */
export const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })

/** A transaction id that never wraps around, as decimal digits. */
export const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' })
