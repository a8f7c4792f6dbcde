import type { Pool } from 'pg'
import type { RejectedEntry } from '../../db/replay/pages.ts'
import { splitRejected } from '../../db/replay/split.ts'
import type { Draft } from '../draft.ts'
import type { OpenedMessage } from './open-messages.ts'

/**
 * Replaces messages that were rejected whole and can be decoded now by their items, so that each is judged and kept for
 * itself. They are written apart before anything of them is stored; a dry run only says which they would be. `taken`
 * counts those that another process has, which are left out.
 */
export async function splitWholes(
  pool: Pool,
  messages: readonly OpenedMessage[],
  { dryRun }: { dryRun: boolean },
): Promise<{ messages: OpenedMessage[]; taken: number }> {
  const decodable = messages.flatMap((message) => wholesOf(message))
  if (decodable.length === 0) return { messages: [...messages], taken: 0 }
  const parts = dryRun ? decodable.flatMap(partsOf) : await splitRejected(pool, decodable.map(toSplit))
  const byPayload = Map.groupBy(parts, (part) => part.payloadId)
  const wholes = new Set(decodable.map(({ entry }) => entry))
  return {
    messages: messages.map((message) => withParts(message, wholes, byPayload)),
    taken: decodable.filter(({ entry }) => !byPayload.has(entry.payloadId)).length,
  }
}

function withParts(
  message: OpenedMessage,
  wholes: ReadonlySet<RejectedEntry>,
  parts: ReadonlyMap<string, RejectedEntry[]>,
): OpenedMessage {
  const entries = message.entries.flatMap((entry) =>
    wholes.has(entry) ? (parts.get(entry.payloadId) ?? []) : [entry],
  )
  return { ...message, entries }
}

interface Whole {
  entry: RejectedEntry
  items: number[]
}

function wholesOf({ draft, entries }: OpenedMessage): Whole[] {
  if (draft.message.rejects.some(({ item }) => item === null)) return []
  const items = itemsOf(draft)
  // Nothing to be put back: it stays as it is.
  if (items.length === 0) return []
  return entries.filter(({ item }) => item === null).map((entry) => ({ entry, items }))
}

function itemsOf({ readings, doors, message }: Draft): number[] {
  return [...readings, ...doors, ...message.rejects].flatMap(({ item }) => item ?? []).sort((a, b) => a - b)
}

function partsOf({ entry, items }: Whole): RejectedEntry[] {
  return items.map((item) => ({ ...entry, item }))
}

function toSplit({ entry, items }: Whole) {
  return { id: entry.id, items }
}
