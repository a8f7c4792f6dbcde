import type { ClientBase, Pool } from 'pg'
import type { unitStatus } from '../schema/index.ts'

/** A unit with the names that operators know; named as in the message about it. Times are epoch milliseconds. */
export interface UnitFactsRow {
  unitId: number
  slug: string
  unit: string
  name: string
  site: string
  site_name: string
  status: (typeof unitStatus.enumValues)[number]
  /** As the sensor said it, °C. */
  temperature: number | null
  last_reading_at: number | null
  createdAtMs: number
}

const FACTS = `
  SELECT u.id AS "unitId", o.slug, u.public_id AS unit, u.name, s.public_id AS site, s.name AS site_name, u.status,
    round(u.last_temperature::numeric, 2)::float8 AS temperature,
    (extract(epoch FROM u.last_reading_at) * 1000)::float8 AS last_reading_at,
    (extract(epoch FROM u.created_at) * 1000)::float8 AS "createdAtMs"
  FROM public.units u
  JOIN public.organizations o ON o.id = u.organization_id
  JOIN public.areas ar ON ar.id = u.area_id
  JOIN public.sites s ON s.id = ar.site_id`

/** As protocol.md has it. */
const TOPIC = `'v1/orgs/' || o.slug || '/units/' || u.public_id`
const UNIT_TOPICS = 'v1/orgs/%/units/%'

/** These units as they are now, also within the transaction that changes them. */
export async function readUnitFacts(client: ClientBase, unitIds: readonly number[]): Promise<UnitFactsRow[]> {
  const { rows } = await client.query<UnitFactsRow>(`${FACTS} WHERE u.id = ANY ($1)`, [unitIds])
  return rows
}

const IS_UNPUBLISHED = `u.deleted_at IS NULL AND o.deleted_at IS NULL
  AND NOT EXISTS (SELECT FROM pipeline.outgoing_messages m WHERE m.retain AND m.topic = ${TOPIC})`

/**
 * Units of which no status is kept for publishing, `rowsMax` at most, once nobody is about to write them. Returns their ids; by then
 * some may have one (see `readUnpublishedUnits`). To be asked outside of a transaction: who writes statuses would wait for it.
 */
export async function unpublishedUnits(pool: Pool, rowsMax: number): Promise<number[]> {
  const { rows } = await pool.query<{ id: number }>(
    `SELECT u.id FROM public.units u JOIN public.organizations o ON o.id = u.organization_id
     WHERE ${IS_UNPUBLISHED} ORDER BY u.id LIMIT $1 FOR NO KEY UPDATE OF u`,
    [rowsMax],
  )
  return rows.map(({ id }) => id)
}

/** Those of these units of which no status is kept. */
export async function readUnpublishedUnits(
  client: ClientBase,
  unitIds: readonly number[],
): Promise<UnitFactsRow[]> {
  const { rows } = await client.query<UnitFactsRow>(
    `${FACTS} WHERE u.id = ANY ($1) AND ${IS_UNPUBLISHED} ORDER BY u.id`,
    [unitIds],
  )
  return rows
}

/** Forgets the statuses of units that are gone, or have another topic now. */
export async function deleteStatusesOfGoneUnits(client: ClientBase): Promise<void> {
  await client.query(
    `DELETE FROM pipeline.outgoing_messages m
     WHERE m.retain AND m.topic LIKE $1 AND NOT EXISTS (
       SELECT FROM public.units u JOIN public.organizations o ON o.id = u.organization_id
       WHERE u.deleted_at IS NULL AND o.deleted_at IS NULL AND m.topic = ${TOPIC})`,
    [UNIT_TOPICS],
  )
}
