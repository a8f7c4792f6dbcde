import { type DeviceState, newDeviceState } from './core/device.ts'
import { newHearing } from './core/silence.ts'
import { OPEN_END_MS, type SavedDevice } from './unit-context.ts'

/** A stored state, or, where nothing can be made of it, one that is to be folded again from the first row on. */
export function readSaved(stored: unknown): SavedDevice {
  const saved = (stored ?? {}) as Partial<SavedDevice>
  const { readings, hearing } = saved
  if (isState(readings) && Array.isArray(hearing?.running)) {
    // Early versions kept less of what was heard.
    return { ...saved, readings, hearing: { ...newHearing(), ...hearing } }
  }
  return nothingSaved()
}

/** Of a device that is to be folded from its first row on. */
export function nothingSaved(): SavedDevice {
  return { readings: newDeviceState(), hearing: newHearing(), late: { fromMs: 0, toMs: OPEN_END_MS } }
}

/** Of an earlier version, or changed by hand, it may be anything. */
function isState(readings: DeviceState | undefined): readings is DeviceState {
  if (typeof readings?.atMs !== 'number' || !Array.isArray(readings.tracks)) return false
  return readings.tracks.every((track) => track !== null && Array.isArray(track.later))
}
