import type { ClientBase } from 'pg'
import { doorRows } from '../../db/evaluation/door-rows.ts'
import { deviceRows } from '../../db/evaluation/reading-rows.ts'
import { ALERT_TYPES } from '../../db/fleet/conditions.ts'
import { doorEpisodes, doorTimeline } from '../core/doors.ts'
import { fold } from '../core/fold.ts'
import { mergeEpisodes } from '../core/merge.ts'
import type { AlertFacts, Condition, DoorInput, ReadingInput, RuleTrack, UnitConfig } from '../core/types.ts'

const PAGE_ROWS = 10_000
const RULE_ID = 1

export interface Backtest {
  alerts: AlertFacts[]
  /** How many readings and door events were judged. */
  inputs: number
}

/** What a rule would have raised in a unit, had it always been in force. Reads only. */
export async function backtest(
  client: ClientBase,
  unit: UnitConfig,
  { condition, fromMs, toMs }: { condition: Condition; fromMs: number; toMs: number },
): Promise<Backtest> {
  const track = alwaysInForce(condition)
  const tried: UnitConfig = { ...unit, tracks: [track] }
  const { unitId } = unit
  const doors = await readDoors(client, { unitId, fromMs, toMs })
  const timeline = doorTimeline(doors)
  const episodes =
    condition.type === 'door_open' ? doorEpisodes(timeline, track, { judgedToMs: () => toMs }) : []
  let inputs = doors.length
  for (const device of unit.devices) {
    const readings = await readReadings(client, { unitId, deviceId: device.deviceId, fromMs, toMs })
    inputs += readings.length
    const judging = { unit: tried, device, isDoorOpenAt: timeline.isOpenAt }
    if (condition.type !== 'door_open') episodes.push(...fold(readings, judging).episodes)
  }
  return { alerts: mergeEpisodes(tried, track, episodes), inputs }
}

function alwaysInForce(condition: Condition): RuleTrack {
  const [fromMs, toMs] = [-Infinity, Infinity]
  const triggers = { by: 'at', fromMs } as const
  return {
    ruleId: RULE_ID,
    name: '',
    conditionType: condition.type,
    alertType: ALERT_TYPES[condition.type],
    versions: [{ version: 1, fromMs, toMs, condition, severity: 'info', triggers }],
  }
}

async function readReadings(
  client: ClientBase,
  span: { unitId: number; deviceId: number; fromMs: number; toMs: number },
): Promise<ReadingInput[]> {
  const readings: ReadingInput[] = []
  for (;;) {
    const after = readings.at(-1)
    const page = await deviceRows(client, { ...span, limit: PAGE_ROWS, ...(after ? { after } : {}) })
    readings.push(...page)
    if (page.length < PAGE_ROWS) return readings
  }
}

/** The events of one time are not parted: those that a page may have cut are read again. */
async function readDoors(
  client: ClientBase,
  { unitId, fromMs, toMs }: { unitId: number; fromMs: number; toMs: number },
): Promise<DoorInput[]> {
  let limit = PAGE_ROWS
  for (;;) {
    const doors = await doorRows(client, { unitId, fromMs, toMs, limit })
    if (doors.length < limit) return doors
    limit *= 2
  }
}
