import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { onConnection } from '../batches/transaction.ts'
import { createDatabase, type Database } from '../client.ts'
import { eventLogs, organizations } from '../schema/index.ts'
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts'
import { appendAuditEvents, appendToAuditChains } from './append.ts'
import { verifyAuditChain } from './verify.ts'

let database: TestDatabase
let db: Database
let organizationId: number
let organizationsMade = 0

const open = (pipelined = false) =>
  createDatabase({
    url: database.url,
    poolMax: 8,
    statementTimeoutMs: 30_000,
    connectTimeoutMs: 10_000,
    pipelined,
    onIdleError: () => {},
  })

beforeAll(async () => {
  database = await createTestDatabase()
  db = open()
})

afterAll(async () => {
  await db?.$client.end()
  await database?.drop()
})

beforeEach(async () => {
  organizationsMade += 1
  const [row] = await db
    .insert(organizations)
    .values({ slug: `org-${organizationsMade}`, name: 'Org' })
    .returning({ id: organizations.id })
  organizationId = row?.id ?? 0
})

const event = (entityId: number) => ({
  actor: 'test',
  action: 'updated',
  entityType: 'unit',
  entityId,
  // Fields, numbers and texts that come back from jsonb in another order and form.
  oldValues: { zeta: 1, a: null, 'ä"\\': [1e21, 0.1, -0.5, 1e-7], long: 'x'.repeat(100) },
  newValues: { nested: { b: [], a: {} }, at: new Date(0), text: 'Kühlung 🧊\n' },
  occurredAt: new Date(1_795_174_500_123),
})

const append = (count: number) =>
  db.transaction((tx) =>
    appendAuditEvents(
      tx,
      organizationId,
      Array.from({ length: count }, (_, i) => event(i)),
    ),
  )

describe('the audit log', () => {
  it('verifies what comes back from the database, over several appends and pages', async () => {
    await append(2)
    await append(6_000)
    await append(0)
    await append(1)
    expect(await verifyAuditChain(db, organizationId)).toMatchObject({ intact: true, entries: 6_003 })
  })

  it('is empty and intact at first', async () => {
    expect(await verifyAuditChain(db, organizationId)).toMatchObject({ intact: true, entries: 0 })
  })

  it('has one chain when many write at once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => append(3)))
    expect(await verifyAuditChain(db, organizationId)).toMatchObject({ intact: true, entries: 60 })
  })

  it('has one chain of each organization when many write to several at once, on pipelined connections', async () => {
    const [other] = await db
      .insert(organizations)
      .values({ slug: `other-${organizationsMade}`, name: 'Other' })
      .returning({ id: organizations.id })
    const otherId = other?.id ?? 0
    const { $client: pool } = open(true)
    onTestFinished(() => pool.end())
    const ofBoth: [number, ReturnType<typeof event>[]][] = [
      [otherId, [event(1), event(2)]],
      [organizationId, [event(3)]],
    ]
    const appendToBoth = (place: number) =>
      onConnection(pool, async (client) => {
        await client.query('BEGIN')
        await appendToAuditChains(client, new Map(place % 2 === 0 ? ofBoth : ofBoth.toReversed()))
        await client.query('COMMIT')
      })
    await Promise.all(Array.from({ length: 20 }, (_, place) => appendToBoth(place)))
    expect(await verifyAuditChain(db, organizationId)).toMatchObject({ intact: true, entries: 20 })
    expect(await verifyAuditChain(db, otherId)).toMatchObject({ intact: true, entries: 40 })
  })

  it('takes back what a failed transaction appended', async () => {
    await append(1)
    const failed = db.transaction(async (tx) => {
      await appendAuditEvents(tx, organizationId, [event(1)])
      throw new Error('changed my mind')
    })
    await expect(failed).rejects.toThrow('changed my mind')
    await append(1)
    expect(await verifyAuditChain(db, organizationId)).toMatchObject({ intact: true, entries: 2 })
  })

  it.each([
    ['a changed value', sql`update event_logs set new_values = '{}' where id = `, 'changed'],
    ['a changed actor', sql`update event_logs set actor = 'nobody' where id = `, 'changed'],
    ['a changed time', sql`update event_logs set occurred_at = occurred_at + '1 ms' where id = `, 'changed'],
    ['a removed entry', sql`delete from event_logs where id = `, 'not_linked'],
  ])('shows %s', async (_what, statement, reason) => {
    await append(5)
    const rows = await db.select().from(eventLogs).orderBy(eventLogs.id)
    const [, , third, fourth] = rows.filter((row) => row.organizationId === organizationId)
    await db.execute(sql`${statement} ${third?.id}`)
    expect(await verifyAuditChain(db, organizationId)).toEqual({
      intact: false,
      entries: 2,
      brokenAtId: reason === 'changed' ? third?.id : fourth?.id,
      reason,
    })
  })
})
