import type { Transaction } from '../client.ts'
import { insertRows, updateRows } from './bulk.ts'
import type { Change } from './changes.ts'
import { KINDS, type Kind, type KindName, keyOf, type Values } from './kinds.ts'
import type { Plan, Update } from './reconcile.ts'
import type { ExistingRow } from './state.ts'

export interface WriteContext {
  /** Absent for the organization itself. */
  organizationId?: number
  now: Date
}

/** Writes the plan of one kind. Returns what was done, and the ids of its live rows by natural key. */
export async function writeKind(
  tx: Transaction,
  name: KindName,
  plan: Plan,
  context: WriteContext,
): Promise<{ changes: Change[]; ids: Map<string, number> }> {
  const kind: Kind = KINDS[name]
  await updateRows(tx, kind, removals(kind, plan.removed, context.now))
  await updateRows(tx, kind, updates(kind, plan.updated))
  const owner = context.organizationId === undefined ? {} : { organizationId: context.organizationId }
  const inserted = await insertRows(
    tx,
    kind,
    plan.created.map((values) => ({ ...values, ...owner })),
  )
  const created = new Map(plan.created.map((values) => [keyOf(kind, values), values]))
  const stored = [...plan.unchanged, ...plan.kept, ...plan.updated.map(({ row }) => row)]
  return {
    changes: [
      ...plan.removed.map((row) => removalOf(name, row)),
      ...plan.updated.map((update) => updateOf(name, update)),
      ...inserted.map(({ id, values }) => creationOf(name, id, created.get(keyOf(kind, values)) ?? values)),
    ],
    ids: new Map([
      ...stored.map((row): [string, number] => [keyOf(kind, row.values), row.id]),
      ...inserted.map(({ id, values }): [string, number] => [keyOf(kind, values), id]),
    ]),
  }
}

/** Only columns that differ somewhere: triggers fire by the columns that a statement names. */
function updates(kind: Kind, plan: readonly Update[]): Values[] {
  const changed = new Set(plan.flatMap((update) => update.changed))
  const revives = plan.some(({ revived }) => revived)
  return plan.map(({ row, after }) => ({
    id: row.id,
    ...Object.fromEntries([...changed].map((property) => [property, after[property]])),
    ...(revives ? { deletedAt: null } : {}),
    ...(kind.versioned ? { version: row.version + 1 } : {}),
  }))
}

function removals(kind: Kind, rows: readonly ExistingRow[], now: Date): Values[] {
  return rows.map((row) => ({
    id: row.id,
    deletedAt: now,
    ...(kind.hasSecret ? { credentialHash: null } : {}),
    ...(kind.versioned ? { enabled: false, version: row.version + 1 } : {}),
  }))
}

function removalOf(kind: KindName, row: ExistingRow): Change {
  const secret = row.hasSecret ? { secret: 'removed' as const } : {}
  return {
    kind,
    action: 'removed',
    id: row.id,
    before: row.values,
    after: null,
    changed: [],
    version: row.version + 1,
    ...secret,
  }
}

function updateOf(kind: KindName, { row, after, changed, revived }: Update): Change {
  const action = revived ? 'revived' : 'updated'
  return { kind, action, id: row.id, before: row.values, after, changed, version: row.version + 1 }
}

function creationOf(kind: KindName, id: number, after: Values): Change {
  return { kind, action: 'created', id, before: null, after, changed: [], version: 1 }
}
