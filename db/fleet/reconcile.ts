import { canonicalJson } from '../audit/canonical-json.ts'
import { type Kind, keyOf, type Values } from './kinds.ts'
import type { ExistingRow } from './state.ts'

export interface Update {
  row: ExistingRow
  after: Values
  /** Properties that differ. */
  changed: readonly string[]
  /** It was deleted and comes back. */
  revived: boolean
}

/** What to do to one kind of thing so that the database has what the file says. */
export interface Plan {
  created: readonly Values[]
  updated: readonly Update[]
  removed: readonly ExistingRow[]
  unchanged: readonly ExistingRow[]
  /** Live rows that the file does not name and that stay. */
  kept: readonly ExistingRow[]
}

/** Compares what the file wants with what there is. Without `prune` nothing is removed. */
export function reconcile(
  kind: Kind,
  wanted: readonly Values[],
  existing: readonly ExistingRow[],
  prune: boolean,
): Plan {
  const byKey = preferLive(kind, existing)
  const created: Values[] = []
  const updated: Update[] = []
  const unchanged: ExistingRow[] = []
  for (const after of wanted) {
    const key = keyOf(kind, after)
    const row = byKey.get(key)
    byKey.delete(key)
    if (!row) {
      created.push(after)
      continue
    }
    const changed = kind.managed.filter((property) => !isSame(row.values[property], after[property]))
    if (row.live && changed.length === 0) unchanged.push(row)
    else updated.push({ row, after, changed, revived: !row.live })
  }
  const others = [...byKey.values()].filter((row) => row.live)
  return { created, updated, unchanged, removed: prune ? others : [], kept: prune ? [] : others }
}

/** By natural key the live row, else the one that was deleted last; rows come in order of id. */
function preferLive(kind: Kind, rows: readonly ExistingRow[]): Map<string, ExistingRow> {
  const byKey = new Map<string, ExistingRow>()
  for (const row of rows) {
    const key = keyOf(kind, row.values)
    if (row.live || !byKey.get(key)?.live) byKey.set(key, row)
  }
  return byKey
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  return typeof a === 'object' && typeof b === 'object' && canonicalJson(a) === canonicalJson(b)
}
