/** SPEC.md, 9: people acknowledge and resolve alerts. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { verifyAuditChain } from '../db/audit/verify.ts'
import { createDatabase } from '../db/client.ts'
import { AlertRefusal, acknowledgeAlert, resolveAlert } from './by-hand.ts'
import { type AlertDatabase, type AlertRows, openAlertDatabase } from './testing/alert-database.ts'

const NOW = Date.UTC(2026, 10, 20, 12)

let database: AlertDatabase
let rows: AlertRows
let alertId: number
let alert: string
beforeAll(async () => {
  database = await openAlertDatabase()
})
beforeEach(async () => {
  rows = await database.begin()
  alertId = await rows.insertAlert()
  alert = await publicIdOf(alertId)
})
afterAll(() => database.close())

const request = () => ({ alert, profileId: null, nowMs: NOW })
const row = async () => (await rows.pool.query('SELECT * FROM alerts WHERE id = $1', [alertId])).rows[0]

async function publicIdOf(id: number): Promise<string> {
  const found = await rows.pool.query<{ id: string }>('SELECT public_id AS id FROM alerts WHERE id = $1', [
    id,
  ])
  return found.rows[0]?.id ?? ''
}

async function written(): Promise<{ messages: string[]; actions: string[] }> {
  const messages = await rows.pool.query<{ payload: string }>(
    'SELECT payload FROM pipeline.outgoing_messages ORDER BY id',
  )
  const actions = await rows.pool.query<{ action: string }>(
    'SELECT action FROM event_logs WHERE organization_id = $1 ORDER BY id',
    [rows.fleet.organizationId],
  )
  return {
    messages: messages.rows.map(({ payload }) => JSON.parse(payload).transition),
    actions: actions.rows.map(({ action }) => action),
  }
}

test('an acknowledgement is kept, told and audited, once', async () => {
  expect(await acknowledgeAlert(rows.pool, request())).toBe(true)
  expect(await acknowledgeAlert(rows.pool, { ...request(), nowMs: NOW + 1 })).toBe(false)
  expect(await row()).toMatchObject({ status: 'acknowledged', acknowledged_at: new Date(NOW) })
  expect(await written()).toEqual({ messages: ['acknowledged'], actions: ['alert_acknowledged'] })
})

test('an alert whose condition holds cannot be resolved by hand', async () => {
  const refusal = `Alert ${alert} stays as it is: its condition still holds: acknowledge it instead.`
  await expect(resolveAlert(rows.pool, request())).rejects.toThrow(refusal)
  await acknowledgeAlert(rows.pool, request())
  await expect(resolveAlert(rows.pool, request())).rejects.toThrow(refusal)
  expect(await row()).toMatchObject({ status: 'acknowledged', resolved_at: null })
})

test('one whose newest reading is good can, as one without proof can', async () => {
  await rows.hear({ atMs: NOW, isGood: true })
  expect(await resolveAlert(rows.pool, request())).toBe(true)
  expect(await resolveAlert(rows.pool, request())).toBe(false)
  expect(await row()).toMatchObject({
    status: 'resolved',
    resolution: 'by_person',
    resolved_at: new Date(NOW),
    ended_at: null,
  })
  expect(await written()).toEqual({ messages: ['resolved'], actions: ['alert_resolved'] })
  await expect(acknowledgeAlert(rows.pool, request())).rejects.toThrow('nothing to acknowledge')

  alert = await publicIdOf(await rows.insertAlert({ unproven: true }))
  await rows.pool.query('DELETE FROM pipeline.rule_episodes')
  expect(await resolveAlert(rows.pool, request())).toBe(true)
})

test.each(['no_data', 'door_open', 'manual_log_overdue', 'calibration_due'])(
  'an open alert of %s holds',
  async (condition) => {
    await rows.pool.query(`UPDATE alerts SET condition_type = $1`, [condition])
    await expect(resolveAlert(rows.pool, request())).rejects.toThrow('still holds')
  },
)

test.each([randomUUID(), 'no id', ''])('there is no alert %j', async (unknown) => {
  alert = unknown
  for (const change of [acknowledgeAlert, resolveAlert]) {
    const refusal = new AlertRefusal(`Alert ${unknown} stays as it is: there is no such alert.`)
    await expect(change(rows.pool, request())).rejects.toEqual(refusal)
  }
})

test('many at once leave an audit log without a fork', async () => {
  const alerts = await Promise.all(
    ['rate_of_change', 'temperature_below', 'temperature_n_of_m'].map(async (condition_type) =>
      publicIdOf(await rows.insertAlert({ condition_type })),
    ),
  )
  const changes = alerts.flatMap((each) => [each, each])
  const results = await Promise.all(
    changes.map((each) => acknowledgeAlert(rows.pool, { ...request(), alert: each })),
  )
  expect(results.filter((isNew) => isNew)).toHaveLength(3)
  const db = createDatabase({
    url: rows.pool.options.connectionString ?? '',
    poolMax: 1,
    statementTimeoutMs: 30_000,
    connectTimeoutMs: 10_000,
    onIdleError: () => {},
  })
  const verdict = await verifyAuditChain(db, rows.fleet.organizationId)
  await db.$client.end()
  expect(verdict).toMatchObject({ intact: true, entries: 3 })
})
