import type { ClientBase } from 'pg'
import type { configChanges } from '../schema/index.ts'

type Queryable = Pick<ClientBase, 'query'>
type Scope = (typeof configChanges.scope.enumValues)[number]

export interface ConfigChanges {
  /** Of now. */
  version: bigint
  /** What has changed since; undefined: everything may have. */
  concerned: Concerned | undefined
}

interface Concerned {
  /** Some may be gone. */
  unitIds: number[]
  /** Whose calibration may be another one. */
  deviceIds: number[]
}

/** So many versions are kept: `bump_config_version` in the migrations. */
const VERSIONS_KEPT = 1_000n

/** What rules, units, devices, places and calibrations have become since a version, as far as the evaluator has to know. */
export async function configChangesSince(db: Queryable, version: bigint): Promise<ConfigChanges> {
  const { rows } = await db.query<{ version: string; scope: Scope | null; scopeId: number }>(
    `SELECT v.config_version AS version, c.scope, c.scope_id AS "scopeId"
     FROM pipeline.registry_version v LEFT JOIN pipeline.config_changes c ON c.version > $1 WHERE v.id = 1`,
    [version],
  )
  const [first] = rows
  if (!first) throw new Error('pipeline.registry_version has no row: the migrations have put it there')
  const now = BigInt(first.version)
  if (now === version) return { version, concerned: { unitIds: [], deviceIds: [] } }
  const isKept = now > version && now - version <= VERSIONS_KEPT
  if (!isKept || rows.some(({ scope }) => scope === 'everything')) {
    return { version: now, concerned: undefined }
  }
  const idsOf = (wanted: Scope) => [
    ...new Set(rows.flatMap(({ scope, scopeId }) => (scope === wanted ? [scopeId] : []))),
  ]
  const deviceIds = idsOf('device')
  const unitIds = await unitsBeneath(db, {
    organizations: idsOf('organization'),
    sites: idsOf('site'),
    units: idsOf('unit'),
    devices: deviceIds,
  })
  return { version: now, concerned: { unitIds, deviceIds } }
}

/** Also those that stood at a site once, as the past of a rule is theirs too. */
async function unitsBeneath(
  db: Queryable,
  ids: Record<'organizations' | 'sites' | 'units' | 'devices', number[]>,
): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(
    `SELECT u.id FROM public.units u JOIN public.areas a ON a.id = u.area_id
     WHERE u.organization_id = ANY ($1::int4[]) OR a.site_id = ANY ($2::int4[])
     UNION SELECT entity_id FROM pipeline.config_history
       WHERE entity = 'unit' AND ("values" ->> 'site_id')::int4 = ANY ($2::int4[])
     UNION SELECT unit_id FROM pipeline.device_assignments
       WHERE device_id = ANY ($4::int4[]) AND unit_id IS NOT NULL
     UNION SELECT unnest($3::int4[])`,
    [ids.organizations, ids.sites, ids.units, ids.devices],
  )
  return rows.map(({ id }) => id)
}
