import type { AuditEvent } from '../audit/append.ts'
import { canonicalJson } from '../audit/canonical-json.ts'
import { byColumnName, KINDS, type Kind, type KindName, type Values } from './kinds.ts'

/** Who writes, in the audit log and in the history of rules. */
export const ACTOR = 'fleet:apply'

export type Action = 'created' | 'updated' | 'revived' | 'removed'

/** What was done to one thing. */
export interface Change {
  kind: KindName
  action: Action
  id: number
  before: Values | null
  after: Values | null
  /** Properties that differ, of an update. */
  changed: readonly string[]
  /** The version that a rule has now. */
  version?: number
  /** What happened to its secret, without the secret. */
  secret?: 'made' | 'replaced' | 'removed'
}

const SECRET_BEFORE = { made: 'none', replaced: 'set', removed: 'set' }
const SECRET_AFTER = { made: 'set', replaced: 'replaced', removed: 'none' }

/** What the audit log keeps: all columns of what came or went, the changed ones of what was changed. */
export function toAuditEvent(change: Change, occurredAt: Date): AuditEvent {
  const { kind, action, id, before, after, secret } = change
  const properties = action === 'updated' ? change.changed : KINDS[kind].managed
  const values = (all: Values | null, secretNow: string | undefined) =>
    all && {
      ...byColumnName(KINDS[kind], pick(all, properties)),
      ...(secretNow === undefined ? {} : { credential: secretNow }),
    }
  return {
    actor: ACTOR,
    action,
    entityType: kind,
    entityId: id,
    oldValues: values(before, secret && SECRET_BEFORE[secret]),
    newValues: values(after, secret && SECRET_AFTER[secret]),
    occurredAt,
  }
}

/** One line for people: what it is and what is different. */
export function describeChange({ kind, action, before, after, changed, secret }: Change): string {
  const definition: Kind = KINDS[kind]
  const label = String((after ?? before)?.[definition.label])
  const details = action === 'updated' ? changed.map((property) => difference(definition, property)) : []
  if (secret) details.push(`secret ${secret}`)
  return [`${action} ${kind} ${label}`, ...(details.length > 0 ? [details.join(', ')] : [])].join(': ')

  function difference(of: Kind, property: string): string {
    const name = Object.keys(byColumnName(of, { [property]: null }))[0]
    return `${name} ${canonicalJson(before?.[property] ?? null)} -> ${canonicalJson(after?.[property] ?? null)}`
  }
}

function pick(values: Values, properties: readonly string[]): Values {
  return Object.fromEntries(properties.map((property) => [property, values[property]]))
}
