import { createHash } from 'node:crypto'
import { canonicalJson } from './canonical-json.ts'

/** What one entry of the audit log says, and all that its hash covers beside the previous hash. */
export interface AuditContent {
  organizationId: number
  actorProfileId: number | null
  actor: string
  action: string
  entityType: string
  entityId: number | null
  oldValues: Record<string, unknown> | null
  newValues: Record<string, unknown> | null
  occurredAt: Date
}

/** An entry with its place in its organization's chain. */
export interface ChainedEntry extends AuditContent {
  previousHash: Buffer
  hash: Buffer
}

/** The previous hash of an organization's first entry. */
export const CHAIN_START = Buffer.alloc(32)

/**
 * SHA-256 over the 32 bytes of the previous hash, followed by the UTF-8 bytes of the entry's canonical form.
 *
 * The canonical form is the canonical JSON (see `canonicalJson`) of an object with exactly these fields, null where
 * there is nothing: `action`, `actor`, `actorProfileId`, `entityId`, `entityType`, `newValues`, `occurredAt` (UTC, with
 * milliseconds, for example `2026-11-20T10:15:02.120Z`), `oldValues`, `organizationId`. The row's own id, `public_id`,
 * `created_at` and `updated_at` are not part of it.
 */
export function entryHash(previousHash: Buffer, content: AuditContent): Buffer {
  const { organizationId, actorProfileId, actor, action, entityType, entityId } = content
  const { oldValues, newValues, occurredAt } = content
  const form = canonicalJson({
    organizationId,
    actorProfileId,
    actor,
    action,
    entityType,
    entityId,
    oldValues,
    newValues,
    occurredAt,
  })
  return createHash('sha256').update(previousHash).update(form, 'utf8').digest()
}

/** Links entries, in their order, to the chain that ends in `head`. */
export function chainEntries(head: Buffer, contents: readonly AuditContent[]): ChainedEntry[] {
  let previousHash = head
  return contents.map((content) => {
    const hash = entryHash(previousHash, content)
    const entry = { ...content, previousHash, hash }
    previousHash = hash
    return entry
  })
}

/**
 * The first entry that does not continue the chain after `head`: changed, or put there, or with a removed entry before
 * it. Undefined when all do. Entries removed from the end leave no trace in the chain itself: for that, keep the
 * newest hash elsewhere and compare.
 */
export function firstBreak<E extends ChainedEntry>(
  head: Buffer,
  entries: readonly E[],
): { entry: E; reason: 'not_linked' | 'changed' } | undefined {
  let previousHash = head
  for (const entry of entries) {
    if (!entry.previousHash.equals(previousHash)) return { entry, reason: 'not_linked' }
    if (!entry.hash.equals(entryHash(previousHash, entry))) return { entry, reason: 'changed' }
    previousHash = entry.hash
  }
  return undefined
}
