/** SPEC.md, 9: who is paged, in a real database. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type AlertDatabase,
  type AlertRows,
  type AlertValues,
  openAlertDatabase,
} from '../testing/alert-database.ts'
import { pagingLimits } from './config.ts'
import { planPages } from './plan-pages.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
/** A Friday, 13:00 in Berlin. */
const NOW = Date.UTC(2026, 10, 20, 12)
const LIMITS = pagingLimits({
  PAGE_LAST_KNOWN_SECONDS: 600,
  PAGE_ESCALATION_SECONDS: 900,
  PAGE_SINGLES_MAX: 3,
  PAGE_SINGLES_WINDOW_SECONDS: 600,
  PAGE_GROUP_SECONDS: 60,
})

let database: AlertDatabase
let rows: AlertRows
beforeAll(async () => {
  database = await openAlertDatabase()
})
beforeEach(async () => {
  rows = await database.begin()
})
afterAll(() => database.close())

const plan = (nowMs: number, alertIds?: number[]) =>
  rows.inTransaction(async (client) => {
    const of = alertIds ? given(alertIds) : {}
    const { write, ...planned } = await planPages(client, { nowMs, limits: LIMITS, ...of })
    await write()
    return planned
  })

const given = (alertIds: readonly number[]) => {
  const { organizationId } = rows.fleet
  return { of: alertIds.map((alertId) => ({ alertId, organizationId })) }
}

/** An alert that is live: its device is out of range now. */
async function raise(values: AlertValues = {}): Promise<number> {
  const now = new Date(NOW)
  await rows.hear({ atMs: NOW })
  return rows.insertAlert({ started_at: now, triggered_at: now, detected_at: now, ...values })
}

async function addContact(name: string, values: AlertValues = {}): Promise<number> {
  const all = {
    organization_id: rows.fleet.organizationId,
    name,
    email: `${name}@example.com`,
    level: 1,
    ...values,
  }
  const names = Object.keys(all)
  const { rows: inserted } = await rows.pool.query<{ id: number }>(
    `INSERT INTO escalation_contacts (${names.join(', ')}) VALUES (${names.map((_, i) => `$${i + 1}`).join(', ')})
     RETURNING id`,
    Object.values(all),
  )
  return inserted[0]?.id ?? 0
}

const update = (alertId: number, assignments: string) =>
  rows.pool.query(`UPDATE alerts SET ${assignments} WHERE id = $1`, [alertId])

/** Kind, recipient and seconds from `NOW` of all that was written, in order. */
async function told(): Promise<string[]> {
  const { rows: deliveries } = await rows.pool.query<{ told: string }>(
    `SELECT kind || ' ' || recipient || ' ' || (extract(epoch FROM scheduled_at) - $1)::int AS told
     FROM notification_deliveries ORDER BY id`,
    [NOW / SECOND],
  )
  return deliveries.map((delivery) => delivery.told)
}

async function alertRow(alertId: number) {
  const { rows: found } = await rows.pool.query(
    `SELECT status, escalation_level, paged_at, escalated_at FROM alerts WHERE id = $1`,
    [alertId],
  )
  return found[0]
}

describe('a page', () => {
  test('goes to the contacts of the first level, at the clock second, once however often it is asked', async () => {
    await addContact('anna')
    await addContact('bert', { level: 2 })
    const alertId = await raise()
    expect(await plan(NOW, [alertId])).toEqual({
      transitions: [{ alertId, transition: 'amended' }],
      deliveries: 1,
      grouped: 0,
      waiting: { stale: 0, held: 0, quiet: 0 },
    })
    expect(await plan(NOW, [alertId])).toMatchObject({ transitions: [], deliveries: 0 })
    expect(await plan(NOW + SECOND)).toMatchObject({ transitions: [], deliveries: 0 })
    expect(await told()).toEqual(['page anna@example.com 0'])
    expect(await alertRow(alertId)).toMatchObject({
      status: 'active',
      escalation_level: 1,
      paged_at: new Date(NOW),
    })
  })

  test('of a transaction that is not committed is written by the one that repeats it', async () => {
    const alertId = await raise()
    const client = await rows.pool.connect()
    await client.query('BEGIN')
    const planned = await planPages(client, { nowMs: NOW, limits: LIMITS, ...given([alertId]) })
    expect(planned).toMatchObject({ deliveries: 1 })
    await planned.write()
    await client.query('ROLLBACK')
    client.release()
    expect(await told()).toEqual([])
    await plan(NOW + SECOND)
    expect(await told()).toEqual([`page operator:${rows.slug} 1`])
  })

  test('goes to the operators without contacts, and to contacts of its own site only', async () => {
    const { rows: sites } = await rows.pool.query<{ id: number }>(
      `INSERT INTO sites (organization_id, name) VALUES ($1, 'Elsewhere') RETURNING id`,
      [rows.fleet.organizationId],
    )
    await addContact('elsewhere', { site_id: sites[0]?.id ?? null })
    await addContact('disabled', { enabled: false })
    await addContact('gone', { deleted_at: new Date(NOW) })
    await raise()
    await plan(NOW)
    expect(await told()).toEqual([`page operator:${rows.slug} 0`])
    await addContact('here', { site_id: rows.fleet.siteId })
    await rows.insertAlert({ condition_type: 'rate_of_change' })
    await plan(NOW)
    expect((await told()).at(-1)).toBe('page here@example.com 0')
  })

  test('waits for a fresh reading of the device; backfill pages nobody', async () => {
    await rows.hear({ atMs: NOW - 86_400_000 })
    const alertId = await rows.insertAlert({ detected_at: new Date(NOW) })
    expect((await plan(NOW, [alertId])).waiting.stale).toBe(1)
    await update(alertId, `status = 'resolved', resolution = 'recovered'`)
    await plan(NOW + SECOND, [alertId])
    expect(await told()).toEqual([])
    expect(await alertRow(alertId)).toMatchObject({ escalation_level: 0, paged_at: null })
  })

  test('without anything new comes as last known after ten minutes', async () => {
    await rows.hear({ atMs: NOW - 86_400_000 })
    await rows.insertAlert({ detected_at: new Date(NOW) })
    await plan(NOW + 10 * MINUTE - 1)
    expect(await told()).toEqual([])
    await plan(NOW + 10 * MINUTE)
    expect(await told()).toMatchObject([expect.stringMatching(/^last_known operator:\S+ 600$/)])
  })

  test.each([
    ['no_data', 'monitoring_interrupted', false],
    ['manual_log_overdue', 'missed_manual_entry', false],
    ['calibration_due', 'calibration_due', false],
    ['battery_below', 'low_battery', true],
    ['sensor_fault', 'sensor_fault', true],
    ['temperature_above', 'alarm_active', true],
  ] as const)('about %s (%s) needs a fresh reading: %s', async (condition_type, alert_type, isNeeded) => {
    await rows.insertAlert({
      condition_type,
      alert_type,
      device_id: rows.fleet.devices[0]?.id ?? null,
      detected_at: new Date(NOW),
    })
    expect((await plan(NOW)).waiting.stale).toBe(isNeeded ? 1 : 0)
    await rows.hear({ atMs: NOW })
    await plan(NOW)
    expect(await told()).toHaveLength(1)
  })

  test('about a door is due 30 s after it, and later while something is heard of the unit', async () => {
    const door = { condition_type: 'door_open', alert_type: 'door_open', detected_at: new Date(NOW) }
    const alertId = await rows.insertAlert({ ...door, triggered_at: new Date(NOW - 30 * SECOND) })
    expect(await plan(NOW, [alertId])).toMatchObject({ deliveries: 1 })
    await update(alertId, `status = 'resolved'`)
    const old = await rows.insertAlert({ ...door, triggered_at: new Date(NOW - 60 * MINUTE) })
    expect(await plan(NOW, [old])).toMatchObject({ deliveries: 0 })
    await rows.hear({ atMs: NOW, device: 1 })
    expect(await plan(NOW, [old])).toMatchObject({ deliveries: 1 })
  })

  test('about an alert without proof goes by all that is heard of its unit', async () => {
    const alertId = await rows.insertAlert({ unproven: true, detected_at: new Date(NOW) })
    await rows.pool.query('DELETE FROM pipeline.rule_episodes')
    expect((await plan(NOW, [alertId])).waiting.stale).toBe(1)
    await rows.hear({ atMs: NOW, device: 1 })
    expect(await plan(NOW, [alertId])).toMatchObject({ deliveries: 1 })
  })
})

describe('a hold', () => {
  const maintenance = (scope: { site_id?: number; unit_id?: number }, fromMs: number, toMs: number) =>
    rows.pool.query(
      `INSERT INTO pipeline.maintenance_windows (organization_id, site_id, unit_id, starts_at, ends_at)
       VALUES ($1, $2, $3, $4, $5)`,
      [
        rows.fleet.organizationId,
        scope.site_id ?? null,
        scope.unit_id ?? null,
        new Date(fromMs),
        new Date(toMs),
      ],
    )

  test.each(['unit', 'site', 'organization'] as const)(
    'by maintenance of the %s: pages when it ends',
    async (scope) => {
      const ids = {
        unit: { unit_id: rows.fleet.unitId },
        site: { site_id: rows.fleet.siteId },
        organization: {},
      }
      await maintenance(ids[scope], NOW, NOW + 5 * MINUTE)
      await raise()
      expect((await plan(NOW)).waiting.held).toBe(1)
      expect((await plan(NOW + 5 * MINUTE - 1)).waiting.held).toBe(1)
      expect(await plan(NOW + 5 * MINUTE)).toMatchObject({ deliveries: 1, waiting: { held: 0 } })
      expect(await told()).toMatchObject([expect.stringMatching(/^page .* 300$/)])
    },
  )

  test('by the schedule of its rule, by the clock of the site', async () => {
    const { rows: rules } = await rows.pool.query<{ id: number }>(
      `INSERT INTO alert_rules (organization_id, name, alert_type, severity, condition_type, condition, schedule)
       VALUES ($1, 'Too warm', 'alarm_active', 'critical', 'temperature_above', '{}', $2) RETURNING id`,
      [rows.fleet.organizationId, { windows: [{ days: ['fri'], from: '13:05', to: '13:10' }] }],
    )
    await raise({ rule_id: rules[0]?.id ?? null })
    expect((await plan(NOW + 5 * MINUTE - 1)).waiting.held).toBe(1)
    expect((await plan(NOW + 10 * MINUTE)).waiting.held).toBe(1)
    expect(await plan(NOW + 5 * MINUTE)).toMatchObject({ deliveries: 1 })
  })

  test('by quiet hours of a person, if it is not critical', async () => {
    const { rows: profiles } = await rows.pool.query<{ id: number }>(
      `INSERT INTO profiles (email, full_name, notification_preferences) VALUES ('anna@example.com', 'Anna', $1)
       RETURNING id`,
      [{ quiet_hours: { windows: [{ days: ['fri'], from: '12:00', to: '13:05' }] } }],
    )
    await addContact('anna', { profile_id: profiles[0]?.id ?? null })
    await addContact('bert')
    await raise({ severity: 'warning' })
    await plan(NOW)
    expect(await told()).toEqual(['page bert@example.com 0'])
    await rows.hear({ atMs: NOW + 5 * MINUTE })
    await plan(NOW + 5 * MINUTE - 1)
    await plan(NOW + 5 * MINUTE)
    expect(await told()).toEqual(['page bert@example.com 0', 'page anna@example.com 300'])
  })
})

describe('what happens after a page', () => {
  beforeEach(() => addContact('anna'))

  test('escalates level by level, until somebody acknowledges', async () => {
    await addContact('bert', { level: 2 })
    await addContact('cara', { level: 3 })
    const alertId = await raise()
    await plan(NOW)
    expect(await plan(NOW + 15 * MINUTE - 1)).toMatchObject({ deliveries: 0 })
    const due = NOW + 15 * MINUTE
    await rows.hear({ atMs: due })
    expect(await plan(due)).toMatchObject({ transitions: [{ alertId, transition: 'escalated' }] })
    expect(await alertRow(alertId)).toMatchObject({
      status: 'escalated',
      escalation_level: 2,
      escalated_at: new Date(due),
      paged_at: new Date(NOW),
    })
    await update(alertId, `status = 'acknowledged', acknowledged_at = now()`)
    await plan(NOW + 60 * MINUTE)
    expect(await told()).toEqual(['page anna@example.com 0', 'page bert@example.com 900'])
  })

  test('an acknowledgement that comes while it escalates stays', async () => {
    await addContact('bert', { level: 2 })
    const alertId = await raise()
    await plan(NOW)
    const person = await rows.pool.connect()
    await person.query(`BEGIN; UPDATE alerts SET status = 'acknowledged' WHERE id = ${alertId}`)
    const escalating = plan(NOW + 15 * MINUTE)
    await rows.untilLocked()
    await person.query('COMMIT')
    person.release()
    expect(await escalating).toMatchObject({ deliveries: 1 })
    expect(await alertRow(alertId)).toMatchObject({ status: 'acknowledged' })
  })

  test('a recovery, a relapse and a withdrawal are each told once to whoever was paged', async () => {
    const alertId = await raise()
    await plan(NOW)
    const change = async (assignments: string, atMs: number) => {
      await update(alertId, assignments)
      for (let time = 0; time < 2; time++) await plan(atMs + time, [alertId])
    }
    await change(`status = 'resolved', resolution = 'recovered'`, NOW + MINUTE)
    await change(`status = 'active', resolution = NULL`, NOW + 2 * MINUTE)
    await change(`status = 'resolved', resolution = 'withdrawn'`, NOW + 3 * MINUTE)
    expect(await told()).toEqual([
      'page anna@example.com 0',
      'recovery anna@example.com 60',
      'reopened anna@example.com 120',
      // The fourth message in ten minutes, where three are allowed: a minute after the last one.
      'correction anna@example.com 180',
    ])
  })

  test('a channel without an address is kept as failed', async () => {
    await addContact('dora', { channels: '{sms}', phone: null })
    await raise()
    await plan(NOW)
    const { rows: failed } = await rows.pool.query(
      `SELECT status, error, failed_at FROM notification_deliveries WHERE channel = 'sms'`,
    )
    expect(failed).toEqual([
      { status: 'failed', error: 'the contact has no address for this channel', failed_at: new Date(NOW) },
    ])
    expect(await plan(NOW + SECOND)).toMatchObject({ deliveries: 0 })
  })
})

test('an alert storm: every alert is told, in few messages, and nothing is told twice', async () => {
  await addContact('anna')
  await rows.hear({ atMs: NOW })
  await rows.pool.query(
    `INSERT INTO units (organization_id, area_id, name, unit_type)
     SELECT organization_id, area_id, 'Unit ' || n, 'fridge' FROM units, generate_series(1, 2000) n WHERE units.id = $1`,
    [rows.fleet.unitId],
  )
  await rows.pool.query(
    `INSERT INTO alerts (organization_id, unit_id, alert_type, condition_type, severity, started_at, triggered_at,
       detected_at)
     SELECT organization_id, id, 'door_open', 'door_open', 'warning', $1, $1, $1 FROM units WHERE organization_id = $2`,
    [new Date(NOW), rows.fleet.organizationId],
  )
  const { rows: alerts } = await rows.pool.query<{ id: number }>('SELECT id FROM alerts ORDER BY id')
  // As readings come: a hundred alerts a second.
  for (let start = 0; start < alerts.length; start += 100) {
    const ids = alerts.slice(start, start + 100).map(({ id }) => id)
    await plan(NOW + start * 10, ids)
  }
  expect(await plan(NOW + MINUTE)).toMatchObject({ deliveries: 0, transitions: [] })
  const { rows: counts } = await rows.pool.query(
    `SELECT count(*)::int AS deliveries, count(DISTINCT alert_id)::int AS alerts,
       count(DISTINCT scheduled_at)::int AS messages FROM notification_deliveries`,
  )
  expect(counts).toEqual([{ deliveries: alerts.length, alerts: alerts.length, messages: 4 }])
})
