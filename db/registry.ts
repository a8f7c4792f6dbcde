import type { Pool } from 'pg'
import { lookUpWithLimit } from './limited-query.ts'

/** Where a device belonged from `fromMs` to before `toMs` (epoch milliseconds, ±Infinity at the open ends). */
export interface Assignment {
  unitId: number | null
  siteId: number | null
  fromMs: number
  toMs: number
}

/** An organization that does not exist: that of a sender who has no log-in. */
export const NO_ORGANIZATION = 0

/** A live device as ingest needs it; `assignments` in order of time, the last one is the present one. */
export interface DeviceRecord {
  id: number
  devEui: string
  organizationId: number
  /** Which of its temperatures is the unit's (`lora_sensors.temperature_source`); absent = the usual one. */
  temperatureSource?: string
  assignments: readonly Assignment[]
}

/** Somebody who may log in. */
export interface LogInRecord {
  kind: 'hub' | 'device' | 'network_server' | 'operator'
  /** Hub key, DevEUI, network server key or organization slug. */
  name: string
  id: number
  organizationId: number
  /** A hub's site. */
  siteId: number | null
  credentialHash: string
}

const PAGE_ROWS = 5_000

/** Grows with every change of what `loadDevices` and `loadLogIns` return (kept by triggers). */
export async function registryVersion(pool: Pool): Promise<string> {
  const rows = await lookUpWithLimit<{ version: string }>(
    pool,
    'SELECT version FROM pipeline.registry_version',
  )
  return rows[0]?.version ?? '0'
}

/** All live devices, a page at a time so that 100,000 of them do not hold up the event loop. */
export async function* loadDevices(pool: Pool): AsyncGenerator<DeviceRecord[]> {
  let after = 0
  for (;;) {
    const page = await queryDevices(pool, `id > $1 ORDER BY id LIMIT ${PAGE_ROWS}`, after)
    if (page.length > 0) yield page
    if (page.length < PAGE_ROWS) return
    after = page.at(-1)?.id ?? after
  }
}

/** The live devices among these DevEUIs (16 lower-case hex digits). */
export function findDevices(pool: Pool, devEuis: readonly string[]): Promise<DeviceRecord[]> {
  return queryDevices(pool, 'device_eui = ANY ($1::text[])', devEuis)
}

/** Everybody who may log in. */
export function loadLogIns(pool: Pool): Promise<LogInRecord[]> {
  return queryLogIns(pool, null)
}

/** Those of these names who may log in; a name may stand for several kinds. */
export function findLogIns(pool: Pool, names: readonly string[]): Promise<LogInRecord[]> {
  return queryLogIns(pool, names)
}

interface DeviceAssignmentRow {
  id: number
  dev_eui: string
  organization_id: number
  temperature_source: string | null
  unit_id: number | null
  site_id: number | null
  from_ms: number
  to_ms: number
}

async function queryDevices(pool: Pool, where: string, value: unknown): Promise<DeviceRecord[]> {
  const result = await pool.query<DeviceAssignmentRow>(
    `SELECT d.id, d.device_eui AS dev_eui, d.organization_id, l.temperature_source, a.unit_id, a.site_id,
       (extract(epoch FROM a.valid_from) * 1000)::float8 AS from_ms,
       (extract(epoch FROM a.valid_to) * 1000)::float8 AS to_ms
     FROM (SELECT id, device_eui, organization_id FROM public.devices WHERE deleted_at IS NULL AND ${where}) d
     LEFT JOIN pipeline.device_assignments a ON a.device_id = d.id
     LEFT JOIN public.lora_sensors l ON l.device_id = d.id AND l.deleted_at IS NULL
     ORDER BY d.id, a.valid_from`,
    [value],
  )
  const devices: (DeviceRecord & { assignments: Assignment[] })[] = []
  for (const row of result.rows) {
    let device = devices.at(-1)
    if (device?.id !== row.id) {
      device = {
        id: row.id,
        devEui: row.dev_eui,
        organizationId: row.organization_id,
        ...(row.temperature_source !== null && { temperatureSource: row.temperature_source }),
        assignments: [],
      }
      devices.push(device)
    }
    if (row.from_ms === null) continue
    device.assignments.push({
      unitId: row.unit_id,
      siteId: row.site_id,
      fromMs: row.from_ms,
      toMs: row.to_ms,
    })
  }
  return devices
}

async function queryLogIns(pool: Pool, names: readonly string[] | null): Promise<LogInRecord[]> {
  const result = await pool.query<LogInRecord>(
    `SELECT kind, name, id, organization_id AS "organizationId", site_id AS "siteId", credential_hash AS "credentialHash"
     FROM (
       SELECT 'hub' AS kind, key AS name, id, organization_id, site_id, credential_hash
       FROM public.hubs WHERE deleted_at IS NULL
       UNION ALL
       SELECT 'device', device_eui, id, organization_id, NULL, credential_hash
       FROM public.devices WHERE deleted_at IS NULL
       UNION ALL
       SELECT 'network_server', key, id, organization_id, NULL, credential_hash
       FROM pipeline.network_servers WHERE deleted_at IS NULL
       UNION ALL
       SELECT 'operator', o.slug, o.id, o.id, NULL, c.credential_hash
       FROM public.organizations o JOIN pipeline.operator_credentials c ON c.organization_id = o.id
       WHERE o.deleted_at IS NULL
     ) log_ins
     WHERE credential_hash IS NOT NULL AND ($1::text[] IS NULL OR name = ANY ($1::text[]))`,
    [names],
  )
  return result.rows
}
