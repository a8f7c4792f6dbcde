import type { EpisodeRange } from '../db/evaluation/episodes.ts'
import { deviceRowPages, timeOfLastRow } from '../db/evaluation/reading-rows.ts'
import { isOfTheClock, neededDoorsFromMs, noteEpisodes } from './apply-inputs.ts'
import { isInOrder } from './core/device.ts'
import { DoorsOfRows } from './doors-of-rows.ts'
import type { LateRows } from './late-rows.ts'
import type { Read } from './reads.ts'
import { type DeviceReader, pageMsAt, refold } from './refold.ts'
import type { DeviceContext, Late, UnitContext } from './unit-context.ts'
import type { Arrival } from './work.ts'

/** What came late for a device, and the messages for its unit that have not had their turn. */
interface Refolding {
  late: Late
  held: readonly Arrival[]
  nowMs: number
  /** Of it and others, where those have been read. */
  rows: Pick<LateRows, 'of'> | undefined
  /** Awaited at each page of rows: there may be many. */
  onPage: () => Promise<void>
}

/**
 * Folds a device again because of what came late. Returns what is to be forgotten of its episodes. Each page of rows is read by
 * itself: what is stored meanwhile behind it has its turn later, and is late then.
 */
export async function refoldDevice(
  once: Read,
  unit: UnitContext,
  device: DeviceContext,
  { late, held, nowMs, rows, onPage }: Refolding,
): Promise<EpisodeRange> {
  const { state, judging, config } = device
  const ofDevice = { unitId: unit.config.unitId, deviceId: config.deviceId }
  const pageMs = pageMsAt(judging, late.fromMs)
  const doors = Number.isFinite(neededDoorsFromMs(unit)) ? new DoorsOfRows(once, unit) : undefined
  const read: DeviceReader = {
    timeOfLast: (count, beforeMs) =>
      once((client) => timeOfLastRow(client, { ...ofDevice, beforeMs, count })),
    pages: async function* (span) {
      const known = rows?.of(device, span)
      for await (const page of known
        ? [known]
        : deviceRowPages(once, { ...ofDevice, ...span }, { pageMs, newestMs: nowMs })) {
        await onPage()
        if (doors) yield* doors.parts(page)
        else yield page
      }
    },
    isHeld: heldRows(device, held),
  }
  const judgingThen = doors ? { ...judging, isDoorOpenAt: (atMs: number) => doors.isOpenAt(atMs) } : judging
  const refolded = await refold(read, judgingThen, { late, judgedToMs: state.atMs })
  if (refolded.state) device.state = refolded.state
  device.view = undefined
  device.isUnsaved = true
  device.written.clear()
  const { afterMs, toMs } = refolded
  forgetChanged(unit, config.deviceId, refolded)
  noteEpisodes(unit, refolded.episodes)
  return { ...ofDevice, kind: 'readings', afterMs, toMs }
}

/**
 * Only what is behind the newest reading: what is before it may have been judged already, in a turn that a crash has undone in
 * part.
 */
function heldRows({ config, state }: DeviceContext, held: readonly Arrival[]): DeviceReader['isHeld'] {
  const times = new Set<number>()
  for (const { readings } of held) {
    for (const reading of readings) {
      if (reading.deviceId === config.deviceId && isInOrder(state, reading)) times.add(reading.recordedAtMs)
    }
  }
  return ({ recordedAtMs }) => times.has(recordedAtMs)
}

/** What steps have found of that time in the same turn is judged again. */
function forgetChanged(unit: UnitContext, deviceId: number, range: { afterMs: number; toMs: number }): void {
  for (const [key, episode] of unit.changed) {
    const { triggeredAtMs, conditionType } = episode
    const isOther = episode.deviceId !== deviceId || isOfTheClock(conditionType)
    if (!isOther && triggeredAtMs > range.afterMs && triggeredAtMs <= range.toMs) unit.changed.delete(key)
  }
}
