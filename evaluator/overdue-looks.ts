import type { EpisodeRange } from '../db/evaluation/episodes.ts'
import { readCalibrationTerms, readManualLogs } from '../db/evaluation/overdue-rows.ts'
import { noteEpisodes } from './apply-inputs.ts'
import { calibrationEpisodes, manualLogAlerts } from './core/overdue.ts'
import type { AlertFacts, ConditionType, RuleTrack } from './core/types.ts'
import type { Read } from './reads.ts'
import type { UnitContext } from './unit-context.ts'

/** Alerts of a rule in a unit that are known whole, not by episodes of its devices. */
export interface UnitFacts {
  unit: UnitContext
  track: RuleTrack
  facts: readonly AlertFacts[]
}

/** What people have not done by now. */
export interface Overdue {
  unitFacts: UnitFacts[]
  ranges: EpisodeRange[]
  units: UnitContext[]
}

/** Older ones are over and told. */
const LOGS_MAX = 100

/** Looks at manual logs and calibrations; only what is found otherwise than the last time is to be written. */
export class OverdueLooks {
  readonly #found = new Map<string, string>()

  async look(read: Read, units: readonly UnitContext[], nowMs: number): Promise<Overdue> {
    const unitFacts = await this.#manualLogs(read, units, nowMs)
    return { unitFacts, ...(await this.#calibrations(read, units, nowMs)) }
  }

  /** The next look finds all of a unit again. */
  forget(unitId: number): void {
    for (const key of this.#found.keys()) if (key.startsWith(`${unitId} `)) this.#found.set(key, '')
  }

  async #manualLogs(read: Read, units: readonly UnitContext[], nowMs: number): Promise<UnitFacts[]> {
    const ruled = ruledBy(units, 'manual_log_overdue')
    if (ruled.length === 0) return []
    const ids = [...new Set(ruled.map(({ unit }) => unit.config.unitId))]
    const logs = await read((client) => readManualLogs(client, ids, LOGS_MAX))
    return ruled.flatMap(({ unit, track }) => {
      const { unitId } = unit.config
      const logsMs = logs.get(unitId) ?? []
      // The first one is expected when the rule comes into being.
      const begins = track.versions[0]?.triggers.fromMs ?? nowMs
      const expectedFromMs = logsMs.length < LOGS_MAX && Number.isFinite(begins) ? begins : null
      const facts = manualLogAlerts(unitId, track, { logsMs, expectedFromMs }, nowMs)
      return this.#isNews(`${unitId} ${track.ruleId}`, facts) ? [{ unit, track, facts }] : []
    })
  }

  async #calibrations(
    read: Read,
    units: readonly UnitContext[],
    nowMs: number,
  ): Promise<Pick<Overdue, 'ranges' | 'units'>> {
    const ruled = ruledBy(units, 'calibration_due')
    if (ruled.length === 0) return { ranges: [], units: [] }
    const ids = [...new Set(ruled.flatMap(({ unit }) => [...unit.devices.keys()]))]
    const rows = await read((client) => readCalibrationTerms(client, ids))
    const terms = Map.groupBy(rows, ({ deviceId }) => deviceId)
    const ranges: EpisodeRange[] = []
    const touched = new Set<UnitContext>()
    for (const { unit, track } of ruled) {
      const { unitId } = unit.config
      for (const deviceId of unit.devices.keys()) {
        const episodes = calibrationEpisodes(deviceId, track, terms.get(deviceId) ?? [], nowMs)
        if (!this.#isNews(`${unitId} ${track.ruleId} ${deviceId}`, episodes)) continue
        noteEpisodes(unit, episodes)
        ranges.push({ unitId, deviceId, kind: 'calibration', afterMs: -Infinity, toMs: Infinity })
        touched.add(unit)
      }
    }
    return { ranges, units: [...touched] }
  }

  #isNews(key: string, found: readonly unknown[]): boolean {
    const text = JSON.stringify(found)
    const before = this.#found.get(key)
    this.#found.set(key, text)
    return before === undefined ? found.length > 0 : before !== text
  }
}

function ruledBy(
  units: readonly UnitContext[],
  type: ConditionType,
): { unit: UnitContext; track: RuleTrack }[] {
  return units.flatMap((unit) =>
    unit.config.tracks
      .filter(({ conditionType }) => conditionType === type)
      .map((track) => ({ unit, track })),
  )
}
