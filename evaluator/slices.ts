import type { HandedBatch } from './hand-over.ts'
import { addHanded, type Offsets, sortByArrival, type Work } from './work.ts'

/** Rows that are unpacked at once: gone before they have grown old. */
const SLICE_ROWS = 2_000

/** The rows of batches that were handed over, a part at a time. No message is divided. */
export function* inSlices(batches: readonly HandedBatch[], offsets: () => Offsets): Generator<Work> {
  let work: Work = new Map()
  let rows = 0
  let parts = 0
  const taken = () => {
    if (parts > 1) sortByArrival(work)
    const slice = work
    work = new Map()
    rows = 0
    parts = 0
    return slice
  }
  for (const batch of batches) {
    const { readings, doors } = batch
    let from = 0
    do {
      // Door events lie between readings.
      const to = doors.length > 0 ? readings.length : readings.sliceEnd(from, SLICE_ROWS)
      addHanded(work, batch, { from, to, offsets: offsets() })
      rows += to - from + doors.length
      parts += 1
      from = to
      if (rows >= SLICE_ROWS) yield taken()
    } while (from < readings.length)
  }
  if (parts > 0) yield taken()
}
