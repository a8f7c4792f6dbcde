import type { ClientBase, Pool } from 'pg'
import { onConnection } from '../../db/batches/transaction.ts'
import { lockOutgoing, type OutgoingMessage, putOutgoing } from '../../db/publishing/outgoing.ts'
import {
  deleteStatusesOfGoneUnits,
  readUnitFacts,
  readUnpublishedUnits,
  type UnitFactsRow,
  unpublishedUnits,
} from '../../db/publishing/unit-facts.ts'
import { together } from '../../db/together.ts'
import type { UnitStatusMessage } from '../../ingest/operator-payloads.ts'

const UNITS_PER_TRANSACTION = 1_000

/**
 * Puts the retained status of each unit that has changed, within the transaction that changes it, once its row is written.
 * `sinceMs`: when it came to its status, by our clock.
 */
export async function queueUnitStatuses(
  client: ClientBase,
  changes: readonly { unitId: number; sinceMs: number }[],
  nowMs: number,
): Promise<void> {
  if (changes.length === 0) return
  const sinceMs = new Map(changes.map((change) => [change.unitId, change.sinceMs]))
  const [, rows] = await together(client, [
    () => lockOutgoing(client),
    () => readUnitFacts(client, [...sinceMs.keys()]),
  ])
  await putOutgoing(
    client,
    rows.map((row) => messageOf(row, { sinceMs: sinceMs.get(row.unitId) ?? nowMs, nowMs })),
  )
}

/**
 * Makes what is retained fit the units that there are: those whose status has never changed have had it since they exist,
 * those that are gone have none.
 */
export async function queueMissingStatuses(pool: Pool, nowMs: number): Promise<void> {
  await onConnection(pool, (client) => deleteStatusesOfGoneUnits(client))
  let units = 0
  do {
    units = await queueMissingPage(pool, nowMs)
  } while (units === UNITS_PER_TRANSACTION)
}

async function queueMissingPage(pool: Pool, nowMs: number): Promise<number> {
  const unitIds = await unpublishedUnits(pool, UNITS_PER_TRANSACTION)
  await onConnection(pool, async (client) => {
    await client.query('BEGIN')
    // First: a status that somebody writes from here on comes behind what is read.
    await lockOutgoing(client)
    const rows = await readUnpublishedUnits(client, unitIds)
    await putOutgoing(
      client,
      rows.map((row) => messageOf(row, { sinceMs: row.createdAtMs, nowMs })),
    )
    await client.query('COMMIT')
  })
  return unitIds.length
}

function messageOf(
  { unitId, slug, createdAtMs, ...facts }: UnitFactsRow,
  { sinceMs, nowMs }: { sinceMs: number; nowMs: number },
): OutgoingMessage {
  const message: UnitStatusMessage = { ...facts, since: sinceMs, time: nowMs }
  return {
    topic: `v1/orgs/${slug}/units/${facts.unit}`,
    payload: JSON.stringify(message),
    retain: true,
  }
}
