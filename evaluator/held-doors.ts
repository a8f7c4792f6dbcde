import type { ClientBase } from 'pg'
import { doorRows, openDoorRows } from '../db/evaluation/door-rows.ts'
import { doorTimeline } from './core/doors.ts'
import type { DoorInput, UnitConfig } from './core/types.ts'

/** The newest door events of a unit are held, so many of them, and in a start those of so long ago; others are read where a refold needs them. */
export const DOORS_MAX = 2_000
export const DOORS_KEPT_MS = 30 * 24 * 3_600_000

/** Door events of a unit. */
export interface HeldDoors {
  /** In no certain order. */
  events: DoorInput[]
  /** From this evaluation time on all are held, and what opened the doors that were open then. */
  heldFromMs: number
}

export const NO_DOORS: HeldDoors = { events: [], heldFromMs: -Infinity }

export async function readHeldDoors(
  client: ClientBase,
  config: UnitConfig,
  nowMs: number,
): Promise<HeldDoors> {
  if (!hasDoors(config)) return NO_DOORS
  const { unitId } = config
  const fromMs = nowMs - DOORS_KEPT_MS
  const newest = await doorRows(client, { unitId, fromMs, limit: DOORS_MAX, newest: true })
  const heldFromMs = newest.length < DOORS_MAX ? fromMs : (newest[0]?.atMs ?? fromMs)
  const open = await openDoorRows(client, { unitId, fromMs: heldFromMs - DOORS_KEPT_MS, toMs: heldFromMs })
  return { events: [...open, ...newest], heldFromMs }
}

/** Those that stay held, where there are more than may be. */
export function boundedDoors(doors: HeldDoors): HeldDoors {
  const { events } = doors
  if (events.length <= DOORS_MAX) return doors
  const times = events.map(({ atMs }) => atMs).sort((a, b) => a - b)
  const heldFromMs = Math.max(times.at(-DOORS_MAX) ?? -Infinity, doors.heldFromMs)
  const openThen = new Map<number, number>()
  for (const { deviceId, openedAtMs, closedAtMs } of doorTimeline(events).openings) {
    if (openedAtMs < heldFromMs && (closedAtMs ?? Infinity) >= heldFromMs) openThen.set(deviceId, openedAtMs)
  }
  const isKept = ({ deviceId, atMs, isOpen }: DoorInput) =>
    atMs >= heldFromMs || (isOpen && openThen.get(deviceId) === atMs)
  return { events: events.filter(isKept), heldFromMs }
}

function hasDoors({ devices }: UnitConfig): boolean {
  return devices.some(({ deviceType }) => deviceType.includes('door'))
}
