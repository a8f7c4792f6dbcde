import { isRecord, type JsonRecord } from '../../value.ts'
import type { Make } from '../make.ts'
import { readOwnTime } from '../time.ts'
import { readDecoded } from './decoded.ts'
import { type Measures, saysNothing } from './types.ts'

/** Laird's messages that bring nothing but what was kept. */
const LAIRD_BACKLOG = /^SendBackLogMessages?$/

/** What a decoded payload says: of now, and of earlier moments that the device has kept. */
export function readMoments(decoded: JsonRecord, make: Make): Measures[] {
  const isBacklog = typeof decoded['msgType'] === 'string' && LAIRD_BACKLOG.test(decoded['msgType'])
  const now = readDecoded(decoded, make, isBacklog)
  const { history } = decoded
  const kept = [...records(history), ...records(decoded['readings'])].map((record) =>
    readDecoded(record, makeOfHistory(history, make), true),
  )
  if (isRecord(history)) countBack(kept, readOwnTime(history['now']))
  const last = kept.at(-1)
  // Laird_Agg_TH: the time of the whole is that of the last reading in it, and not that of the battery beside them.
  if (last && Array.isArray(decoded['readings'])) {
    last.atMs ??= now.atMs
    now.atMs = null
  }
  return [now, ...kept, ...olderOfList(decoded, make)].filter((measures) => !saysNothing(measures))
}

/** The form of Sensative's history is its own: `{"now": ..., "12": {...}}`. */
function makeOfHistory(history: unknown, make: Make): Make {
  return isRecord(history) && 'now' in history ? { ...make, vendor: 'sensative' } : make
}

/** A list of records (Milesight, Laird), or records by their counter (Sensative). */
function records(value: unknown): JsonRecord[] {
  const list = Array.isArray(value) ? value : isRecord(value) ? Object.values(value) : []
  return list.filter(isRecord)
}

/**
 * Sensative's device says how many seconds ago; its codec counts back from the time at which it runs, which is another for
 * each copy of a frame.
 */
function countBack(kept: readonly Measures[], codecNowMs: number | null): void {
  if (codecNowMs === null) return
  for (const measures of kept) {
    if (measures.atMs === null) continue
    measures.beforeMs = codecNowMs - measures.atMs
    measures.atMs = null
  }
}

/** Comtac's lists begin with the present value; those behind it have no time. */
function olderOfList({ tempNOW, humNOW }: JsonRecord, make: Make): Measures[] {
  if (!Array.isArray(tempNOW)) return []
  const humidities: readonly unknown[] = Array.isArray(humNOW) ? humNOW : []
  return tempNOW
    .slice(1)
    .map((temperature, index) =>
      readDecoded({ tempNOW: temperature, humNOW: humidities[index + 1] }, make, true),
    )
}
