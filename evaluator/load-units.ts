import { readUnitStatuses } from '../db/evaluation/unit-statuses.ts'
import { readRuleStates } from '../db/evaluation/write-states.ts'
import { loadUnitConfigs } from './config/unit-configs.ts'
import type { Pause } from './core/pauses.ts'
import type { UnitConfig } from './core/types.ts'
import { readHeldDoors } from './held-doors.ts'
import { nothingSaved, readSaved } from './read-saved.ts'
import type { Read } from './reads.ts'
import { isTakenUp, openUnit, type SavedDevice, takeUp, type UnitContext, viewOf } from './unit-context.ts'
import type { Offsets } from './work.ts'

/** Units whose states are read with one query. */
const UNITS_AT_ONCE = 500

interface OpenOptions {
  nowMs: number
  pauses: readonly Pause[]
  offsets: Offsets
}

interface LoadOptions extends OpenOptions {
  unitIds?: readonly number[] | undefined
  onDefect: (message: string) => void
  /** Leaves out units that are no more, also where they are named. */
  isLiveOnly?: boolean
}

/** Units with what is known of them; all that are live when none are named. */
export async function loadUnits(read: Read, options: LoadOptions): Promise<UnitContext[]> {
  const { unitIds, onDefect, isLiveOnly = unitIds === undefined } = options
  const configs = await read((client) => loadUnitConfigs(client, unitIds, { onDefect, isLiveOnly }))
  return openUnits(read, configs, options)
}

/** The same of units whose configuration is loaded. */
export async function openUnits(
  read: Read,
  configs: readonly UnitConfig[],
  { nowMs, pauses, offsets }: OpenOptions,
): Promise<UnitContext[]> {
  const units: UnitContext[] = []
  for (let start = 0; start < configs.length; start += UNITS_AT_ONCE) {
    const some = configs.slice(start, start + UNITS_AT_ONCE)
    const ids = some.map(({ unitId }) => unitId)
    const opened = await read(async (client) => {
      const states = Map.groupBy(await readRuleStates(client, ids), ({ unitId }) => unitId)
      const statuses = await readUnitStatuses(client, ids)
      const found: UnitContext[] = []
      for (const config of some) {
        const saved = (states.get(config.unitId) ?? []).map(({ deviceId, state }): [number, SavedDevice] => [
          deviceId,
          readSaved(state),
        ])
        const doors = await readHeldDoors(client, config, nowMs)
        const status = statuses.get(config.unitId) ?? 'offline'
        found.push(openSaved(config, { saved: new Map(saved), doors, status, pauses, offsets }))
      }
      return found
    })
    units.push(...opened)
  }
  return units
}

function openSaved(config: UnitConfig, known: Parameters<typeof openUnit>[1]): UnitContext {
  const unit = openWhole(config, known)
  if (isTakenUp(unit)) takeUp(unit, new Map())
  return unit
}

/** Where the states are broken inside, which nothing shows until they are used, all is folded from the rows. */
function openWhole(config: UnitConfig, known: Parameters<typeof openUnit>[1]): UnitContext {
  try {
    const unit = openUnit(config, known)
    for (const device of unit.devices.values()) viewOf(device)
    return unit
  } catch {
    const saved = new Map([...known.saved.keys()].map((deviceId) => [deviceId, nothingSaved()]))
    return openUnit(config, { ...known, saved })
  }
}
