import { setImmediate as breathe } from 'node:timers/promises'
import { deviceRowPages, timeOfLastRow } from '../db/evaluation/reading-rows.ts'
import { noteSilences } from './apply-inputs.ts'
import { hear } from './core/silence.ts'
import type { Read } from './reads.ts'
import { pageMsAt } from './refold.ts'
import { isOfDevice } from './refusals.ts'
import type { SessionOptions } from './session-options.ts'
import type { SetAside } from './set-aside.ts'
import type { DeviceContext, UnitContext } from './unit-context.ts'

/** After so many reads of a turn that took too long, further units are read when they are tried again, one by one. */
const TIMEOUTS_MAX = 2

/**
 * For a unit that was set aside: what has come of its devices since they were last heard is heard in the order of its arrival, so
 * that they are silent when they were, and no other time. Where that cannot be read, the unit stays aside.
 */
export async function hearMissed(
  unit: UnitContext,
  { reads, aside, now }: Pick<SessionOptions, 'reads' | 'now'> & { aside: Pick<SetAside, 'setAside'> },
): Promise<void> {
  const { unitId } = unit.config
  if (reads.timeouts >= TIMEOUTS_MAX) {
    aside.setAside(unitId, new Error('it is not read yet: others have taken too long'))
    return
  }
  try {
    for (const device of unit.devices.values())
      await hearDevice(unit, device, { once: reads.once, nowMs: now() })
  } catch (error) {
    if (!isOfDevice(error)) throw error
    aside.setAside(unitId, error)
  }
}

async function hearDevice(
  unit: UnitContext,
  device: DeviceContext,
  { once, nowMs }: { once: Read; nowMs: number },
): Promise<void> {
  const { config, hearing, listening, judging } = device
  const ofDevice = { unitId: unit.config.unitId, deviceId: config.deviceId }
  const newest = { ...ofDevice, beforeMs: Infinity, count: 1 }
  // Of one that was never heard, it is not known since when it could have been.
  const fromMs = hearing.newestAtMs ?? (await once((client) => timeOfLastRow(client, newest)))
  if (fromMs === undefined) return
  const span = { ...ofDevice, fromMs, toMs: Infinity }
  const by = { pageMs: pageMsAt(judging, fromMs), newestMs: nowMs }
  for await (const page of deviceRowPages(once, span, by)) {
    // Of what was sent later than it was measured, a page holds enough that belongs together.
    const arrived = page.toSorted((a, b) => a.receivedAtMs - b.receivedAtMs || a.atMs - b.atMs)
    for (const reading of arrived) noteSilences(unit, device, hear(hearing, reading, listening))
    await breathe()
  }
}
