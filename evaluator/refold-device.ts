import type { ClientBase } from 'pg'
import type { EpisodeRange } from '../db/evaluation/episodes.ts'
import { deviceRows, deviceRowsBefore } from '../db/evaluation/reading-rows.ts'
import { noteEpisodes } from './apply-inputs.ts'
import { deviceView } from './core/view.ts'
import { BEFORE_ROWS_MAX, refold } from './refold.ts'
import type { DeviceContext, Late, UnitContext } from './unit-context.ts'

/** Folds a device again because of what came late. Returns what is to be forgotten of its episodes. */
export async function refoldDevice(
  client: ClientBase,
  unit: UnitContext,
  device: DeviceContext,
  late: Late,
): Promise<EpisodeRange> {
  const span = { unitId: unit.config.unitId, deviceId: device.config.deviceId }
  const refolded = await refold(
    {
      before: (beforeMs, notBeforeMs) =>
        deviceRowsBefore(client, { ...span, beforeMs, notBeforeMs, limit: BEFORE_ROWS_MAX }),
      from: (fromMs, after, limit) =>
        deviceRows(client, { ...span, fromMs, limit, ...(after ? { after } : {}) }),
    },
    device.judging,
    late,
  )
  device.late = undefined
  if (refolded.state) device.state = refolded.state
  device.view = deviceView(device.state, device.judging)
  device.isUnsaved = true
  const { afterMs, toMs } = refolded
  forgetChanged(unit, span.deviceId, refolded)
  noteEpisodes(unit, refolded.episodes)
  return { ...span, kind: 'readings', afterMs, toMs }
}

const OF_THE_CLOCK: ReadonlySet<string> = new Set(['no_data', 'door_open'])

/** What steps have found of that time in the same turn is judged again. */
function forgetChanged(unit: UnitContext, deviceId: number, range: { afterMs: number; toMs: number }): void {
  for (const [key, episode] of unit.changed) {
    const { triggeredAtMs, conditionType } = episode
    const isOther = episode.deviceId !== deviceId || OF_THE_CLOCK.has(conditionType)
    if (!isOther && triggeredAtMs > range.afterMs && triggeredAtMs <= range.toMs) unit.changed.delete(key)
  }
}
