import type { ClientBase } from 'pg'
import { doorsOfBatches } from './door-rows.ts'
import type { StoredDoor, StoredReading } from './inputs.ts'
import type { LedgerBatch } from './ledger-page.ts'
import { readingsOfBatches } from './reading-rows.ts'

/** What these batches stored, as it is judged, in no certain order. */
export async function batchRows(
  client: ClientBase,
  batches: readonly LedgerBatch[],
): Promise<{ readings: StoredReading[]; doors: StoredDoor[] }> {
  return { readings: await readingsOfBatches(client, batches), doors: await doorsOfBatches(client, batches) }
}
