import type { Pool } from 'pg'
import { onConnection } from '../db/batches/transaction.ts'
import { doorRows } from '../db/evaluation/door-rows.ts'
import { readUnitStatuses } from '../db/evaluation/unit-statuses.ts'
import { readRuleStates } from '../db/evaluation/write-states.ts'
import { loadUnitConfigs } from './config/unit-configs.ts'
import type { Pause } from './core/pauses.ts'
import type { UnitConfig } from './core/types.ts'
import { readSaved } from './read-saved.ts'
import { openUnit, type SavedDevice, type UnitContext } from './unit-context.ts'

/** Units whose states are read with one query. */
const UNITS_AT_ONCE = 500
const DOORS_MAX = 2_000
const DOORS_KEPT_MS = 30 * 24 * 3_600_000

interface LoadOptions {
  unitIds?: readonly number[] | undefined
  nowMs: number
  pauses: readonly Pause[]
  onDefect: (message: string) => void
}

/** Units with what is known of them; all that are live when none are named. */
export async function loadUnits(pool: Pool, options: LoadOptions): Promise<UnitContext[]> {
  const { unitIds, nowMs, pauses, onDefect } = options
  const configs = await loadUnitConfigs(pool, unitIds, { onDefect })
  const units: UnitContext[] = []
  for (let start = 0; start < configs.length; start += UNITS_AT_ONCE) {
    const some = configs.slice(start, start + UNITS_AT_ONCE)
    const ids = some.map(({ unitId }) => unitId)
    await onConnection(pool, async (client) => {
      const states = Map.groupBy(await readRuleStates(client, ids), ({ unitId }) => unitId)
      const statuses = await readUnitStatuses(client, ids)
      for (const config of some) {
        const saved = (states.get(config.unitId) ?? []).map(({ deviceId, state }): [number, SavedDevice] => [
          deviceId,
          readSaved(state),
        ])
        const doors = hasDoors(config)
          ? await doorRows(client, {
              unitId: config.unitId,
              fromMs: nowMs - DOORS_KEPT_MS,
              limit: DOORS_MAX,
              newest: true,
            })
          : []
        const status = statuses.get(config.unitId) ?? 'offline'
        units.push(openUnit(config, { saved: new Map(saved), doors, status, pauses }))
      }
    })
  }
  return units
}

function hasDoors({ devices }: UnitConfig): boolean {
  return devices.some(({ deviceType }) => deviceType.includes('door'))
}
