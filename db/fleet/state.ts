import { and, eq, isNull, ne, type SQL, sql } from 'drizzle-orm'
import type { Database } from '../client.ts'
import { operatorCredentials, organizations } from '../schema/index.ts'
import type { FlatFleet } from './flatten.ts'
import { columnOf, KIND_NAMES, KINDS, type Kind, type KindName, type Values } from './kinds.ts'

export interface ExistingRow {
  id: number
  live: boolean
  hasSecret: boolean
  /** 0 for a kind without versions. */
  version: number
  values: Values
}

/** What the database has of one organization, soft-deleted rows included. */
export interface FleetState {
  rows: Record<KindName, readonly ExistingRow[]>
  operatorHasSecret: boolean
  /** Keys of the file that live in another organization → its slug. */
  foreign: Record<'hub' | 'device' | 'network_server', ReadonlyMap<string, string>>
}

type Reader = Pick<Database, 'select'>

export async function loadState(db: Reader, flat: FlatFleet): Promise<FleetState> {
  const organization = await loadOrganization(db, flat.organization.slug)
  const id = organization?.id ?? 0
  const rows = await loadKinds(db, id)
  const [operator] = await db
    .select({ id: operatorCredentials.organizationId })
    .from(operatorCredentials)
    .where(eq(operatorCredentials.organizationId, id))
  return {
    rows: { ...rows, organization: organization ? [organization] : [] },
    operatorHasSecret: operator !== undefined,
    foreign: await loadForeign(db, id, flat),
  }
}

async function loadKinds(db: Reader, organizationId: number): Promise<FleetState['rows']> {
  const rows: Partial<Record<KindName, ExistingRow[]>> = {}
  for (const name of KIND_NAMES) {
    if (name === 'organization') continue
    const kind = KINDS[name]
    rows[name] = await loadRows(db, kind, eq(columnOf(kind, 'organizationId'), organizationId))
  }
  return rows as FleetState['rows']
}

/** A live organization, else the one of this slug that was deleted last. */
async function loadOrganization(db: Reader, slug: string): Promise<ExistingRow | undefined> {
  const rows = await loadRows(db, KINDS.organization, eq(organizations.slug, slug))
  return rows.find((row) => row.live) ?? rows.at(-1)
}

async function loadRows(db: Reader, kind: Kind, where: SQL): Promise<ExistingRow[]> {
  const managed = Object.fromEntries(kind.managed.map((property) => [property, columnOf(kind, property)]))
  const found = await db
    .select({
      id: columnOf(kind, 'id'),
      live: sql<boolean>`${columnOf(kind, 'deletedAt')} is null`,
      hasSecret: kind.hasSecret
        ? sql<boolean>`${columnOf(kind, 'credentialHash')} is not null`
        : sql<boolean>`false`,
      version: kind.versioned ? sql<number>`${columnOf(kind, 'version')}` : sql<number>`0`,
      values: managed,
    })
    .from(kind.table)
    .where(where)
    .orderBy(columnOf(kind, 'id'))
  return found as ExistingRow[]
}

async function loadForeign(db: Reader, id: number, flat: FlatFleet): Promise<FleetState['foreign']> {
  const hubKeys = flat.hubs.map(({ hub }) => hub.key)
  const devEuis = flat.devices.map(({ device }) => device.device_eui)
  const serverKeys = flat.networkServers.map(({ server }) => server.key)
  return {
    hub: await loadOwners(db, { kind: KINDS.hub, keys: hubKeys, exceptId: id }),
    device: await loadOwners(db, { kind: KINDS.device, keys: devEuis, exceptId: id }),
    network_server: await loadOwners(db, { kind: KINDS.network_server, keys: serverKeys, exceptId: id }),
  }
}

/** Which of these keys live in another organization, and its slug. */
async function loadOwners(
  db: Reader,
  { kind, keys, exceptId }: { kind: Kind; keys: readonly string[]; exceptId: number },
): Promise<ReadonlyMap<string, string>> {
  const key = columnOf(kind, kind.label)
  const organizationId = columnOf(kind, 'organizationId')
  // One array parameter: a list of parameters holds 65,535 at most.
  const wanted = sql`${key} = any (${sql.param(keys)}::text[])`
  const found = await db
    .select({ key, slug: organizations.slug })
    .from(kind.table)
    .innerJoin(organizations, eq(organizations.id, organizationId))
    .where(and(wanted, isNull(columnOf(kind, 'deletedAt')), ne(organizationId, exceptId)))
  return new Map(found.map((row) => [String(row.key), row.slug]))
}
