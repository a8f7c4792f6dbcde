/** What operators are told of alerts and units: docs/protocol.md, "Alerts" and "Unit status". */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { alertMessage, unitStatusMessage } from '../../ingest/operator-payloads.ts'
import { type AlertDatabase, type AlertRows, openAlertDatabase } from '../testing/alert-database.ts'
import { queueAlertTransitions, worthTelling } from './queue-alerts.ts'
import { queueMissingStatuses, queueUnitStatuses } from './queue-units.ts'

const NOW = Date.UTC(2026, 10, 20, 12)
const at = (ms: number) => new Date(NOW + ms)

let database: AlertDatabase
let rows: AlertRows
beforeAll(async () => {
  database = await openAlertDatabase()
})
beforeEach(async () => {
  rows = await database.begin()
})
afterAll(() => database.close())

async function outgoing(): Promise<{ topic: string; message: unknown; retain: boolean }[]> {
  const { rows: found } = await rows.pool.query<{ topic: string; payload: string; retain: boolean }>(
    'SELECT topic, payload, retain FROM pipeline.outgoing_messages ORDER BY id',
  )
  return found.map(({ topic, payload, retain }) => ({ topic, retain, message: JSON.parse(payload) }))
}

async function one<Row>(sql: string, values: unknown[]): Promise<Row> {
  const { rows: found } = await rows.pool.query(sql, values)
  return found[0]
}

const publicIdOf = async (table: string, id: number | undefined) =>
  (await one<{ id: string }>(`SELECT public_id AS id FROM ${table} WHERE id = $1`, [id])).id

describe('alerts', () => {
  test('a message says all that is known of an alert of a unit', async () => {
    const { organizationId, unitId, siteId } = rows.fleet
    const rule = await one<{ id: number; public_id: string }>(
      `INSERT INTO alert_rules (organization_id, name, alert_type, severity, condition_type, condition)
       VALUES ($1, 'Too warm', 'alarm_active', 'critical', 'temperature_above', '{}') RETURNING id, public_id`,
      [organizationId],
    )
    const alertId = await rows.insertAlert({
      ...{
        rule_id: rule.id,
        rule_version: 3,
        started_at: at(0),
        triggered_at: at(600_000),
        ended_at: at(900_000),
      },
      ...{
        detected_at: at(602_000),
        paged_at: at(602_000),
        trigger_value: 6.1,
        limit_value: 5,
        peak_value: 6.4,
      },
      ...{ confirmed_seconds: 900, unknown_seconds: 60, status: 'resolved', resolution: 'recovered' },
    })
    await rows.inTransaction((client) =>
      queueAlertTransitions(client, [{ alertId, transition: 'resolved' }], NOW + 903_000),
    )
    const [queued] = await outgoing()
    expect(queued).toEqual({
      topic: `v1/orgs/${rows.slug}/alerts`,
      retain: false,
      message: {
        alert: await publicIdOf('alerts', alertId),
        transition: 'resolved',
        unit: await publicIdOf('units', unitId),
        unit_name: 'Unit',
        site: await publicIdOf('sites', siteId),
        site_name: 'Site',
        hub: null,
        hub_name: null,
        device: null,
        device_name: null,
        rule: rule.public_id,
        rule_name: 'Too warm',
        rule_version: 3,
        type: 'alarm_active',
        condition: 'temperature_above',
        severity: 'critical',
        status: 'resolved',
        started_at: NOW,
        triggered_at: NOW + 600_000,
        ended_at: NOW + 900_000,
        detected_at: NOW + 602_000,
        value: 6.1,
        limit: 5,
        peak: 6.4,
        confirmed_seconds: 900,
        unknown_seconds: 60,
        retrospective: false,
        unproven: false,
        resolution: 'recovered',
        paged: true,
        time: NOW + 903_000,
      },
    })
    expect(alertMessage.strict().parse(queued?.message)).toEqual(queued?.message)
  })

  test('one about a hub, and one about a device, name them; the unit’s own limit has no rule', async () => {
    const [device] = rows.fleet.devices
    const [hub] = rows.fleet.hubs
    const silent = { alert_type: 'monitoring_interrupted', condition_type: 'no_data' }
    const ids = [
      await rows.insertAlert({ ...silent, unit_id: null, hub_id: hub?.id ?? null }),
      await rows.insertAlert({ ...silent, device_id: device?.id ?? null }),
    ]
    await rows.inTransaction((client) =>
      queueAlertTransitions(
        client,
        ids.map((alertId) => ({ alertId, transition: 'raised' })),
        NOW,
      ),
    )
    const messages = (await outgoing()).map(({ message }) => alertMessage.strict().parse(message))
    expect(messages).toMatchObject([
      { unit: null, hub: hub?.key, hub_name: 'Hub 1', site_name: 'Site', device: null, rule: null },
      { unit_name: 'Unit', hub: null, device: device?.devEui, device_name: 'Device 1', paged: false },
    ])
  })

  test('each transition is told once, in order; an alert that did more has not merely been amended', () => {
    const transitions = (['amended', 'raised', 'escalated', 'raised'] as const).map((transition) => ({
      alertId: 1,
      transition,
    }))
    expect(worthTelling([...transitions, { alertId: 2, transition: 'amended' }])).toEqual([
      { alertId: 1, transition: 'raised' },
      { alertId: 1, transition: 'escalated' },
      { alertId: 2, transition: 'amended' },
    ])
  })
})

describe('unit status', () => {
  test('a message says the status of the unit and since when', async () => {
    const { unitId, siteId } = rows.fleet
    await rows.pool.query(
      `UPDATE units SET status = 'excursion', last_temperature = 6.4, last_reading_at = $2 WHERE id = $1`,
      [unitId, at(-1_000)],
    )
    await rows.inTransaction((client) => queueUnitStatuses(client, [{ unitId, sinceMs: NOW - 60_000 }], NOW))
    const unit = await publicIdOf('units', unitId)
    const [queued] = await outgoing()
    expect(queued).toEqual({
      topic: `v1/orgs/${rows.slug}/units/${unit}`,
      retain: true,
      message: {
        ...{ unit, name: 'Unit', site: await publicIdOf('sites', siteId), site_name: 'Site' },
        ...{ status: 'excursion', temperature: 6.4, last_reading_at: NOW - 1_000 },
        ...{ since: NOW - 60_000, time: NOW },
      },
    })
    expect(unitStatusMessage.strict().parse(queued?.message)).toEqual(queued?.message)
  })

  test('units whose status has never changed have had it since they exist; those that are gone have none', async () => {
    const { unitId } = rows.fleet
    await rows.pool.query('UPDATE units SET deleted_at = now() WHERE id <> $1', [unitId])
    await queueMissingStatuses(rows.pool, NOW)
    await queueMissingStatuses(rows.pool, NOW)
    const { createdAt } = await one<{ createdAt: Date }>(
      'SELECT created_at AS "createdAt" FROM units WHERE id = $1',
      [unitId],
    )
    expect(await outgoing()).toMatchObject([
      {
        retain: true,
        message: { status: 'offline', temperature: null, last_reading_at: null, since: createdAt.getTime() },
      },
    ])
    await rows.pool.query('UPDATE units SET deleted_at = now() WHERE id = $1', [unitId])
    await queueMissingStatuses(rows.pool, NOW)
    expect(await outgoing()).toEqual([])
  })

  test('a status that is written meanwhile is not missing', async () => {
    const { unitId } = rows.fleet
    await rows.pool.query('UPDATE units SET deleted_at = now() WHERE id <> $1', [unitId])
    const evaluating = await rows.pool.connect()
    await evaluating.query(`BEGIN; UPDATE units SET status = 'ok' WHERE id = ${unitId}`)
    const missing = queueMissingStatuses(rows.pool, NOW)
    await rows.untilLocked()
    await queueUnitStatuses(evaluating, [{ unitId, sinceMs: NOW }], NOW)
    await evaluating.query('COMMIT')
    evaluating.release()
    await missing
    expect(await outgoing()).toMatchObject([{ message: { status: 'ok', since: NOW } }])
  })
})
