import type { ReadingRow } from '../../db/copy/readings.ts'
import type { TestFleet } from '../../db/testing/fleet.ts'
import type { LoadShape } from '../context.ts'
import { euiOf, type LoadPlan, measuredBy, plannedMessage } from '../generator/plan.ts'

/**
 * At least `count` of the rows that ingest makes of a load; whole messages. In the order in which they arrive where
 * every hub is served in turn, a window of its messages at a time.
 */
export function plannedRows(
  plan: LoadPlan,
  fleet: TestFleet,
  { inFlightMax, count }: Pick<LoadShape, 'inFlightMax'> & { count: number },
): ReadingRow[] {
  const rowsOf = rowsBy(plan, fleet)
  const rows: ReadingRow[] = []
  for (let window = 0; rows.length < count; window += inFlightMax) {
    for (let connection = 0; connection < plan.connections && rows.length < count; connection++) {
      for (let message = window; message < window + inFlightMax && rows.length < count; message++) {
        rows.push(...rowsOf(connection, message))
      }
    }
  }
  return rows
}

/** Returns a function from connection and message to its rows. */
function rowsBy(plan: LoadPlan, fleet: TestFleet): (connection: number, message: number) => ReadingRow[] {
  const ids = new Map(fleet.devices.map(({ devEui, id }) => [devEui, id]))
  const { unitId, organizationId } = fleet
  const receivedAtMs = Date.now()
  return (connection, message) => {
    const { firstDevice, atMs } = plannedMessage(plan, connection, message)
    return Array.from({ length: plan.readingsPerMessage }, (_, index) => {
      const device = firstDevice + index
      const deviceId = ids.get(euiOf(plan, device))
      if (deviceId === undefined) throw new Error(`The fleet has no device ${euiOf(plan, device)}.`)
      const place = { deviceId, unitId, organizationId }
      return { ...place, recordedAtMs: atMs, receivedAtMs, ...measuredBy(device), fault: null, source: 'hub' }
    })
  }
}
