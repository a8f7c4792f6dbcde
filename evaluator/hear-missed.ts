import { setImmediate as breathe } from 'node:timers/promises'
import { deviceRowPages, timeOfLastRow } from '../db/evaluation/reading-rows.ts'
import { noteSilences } from './apply-inputs.ts'
import { hear, type Silences } from './core/silence.ts'
import type { Read } from './reads.ts'
import { pageMsAt } from './refold.ts'
import type { DeviceContext, UnitContext } from './unit-context.ts'

/**
 * For a device whose unit was set aside: what has come of it since it was last heard is heard in the order of its arrival, so that it
 * is silent when it was, and no other time. Where that cannot be read to its end, nothing of it counts.
 */
export async function hearMissed(
  once: Read,
  unit: UnitContext,
  device: DeviceContext,
  nowMs: number,
): Promise<void> {
  const { config, listening, judging } = device
  const hearing = structuredClone(device.hearing)
  const found: Silences[] = []
  const ofDevice = { unitId: unit.config.unitId, deviceId: config.deviceId }
  const newest = { ...ofDevice, beforeMs: Infinity, count: 1 }
  // Of one that was never heard, it is not known since when it could have been.
  const fromMs = hearing.newestAtMs ?? (await once((client) => timeOfLastRow(client, newest)))
  if (fromMs !== undefined) {
    const by = { pageMs: pageMsAt(judging, fromMs), newestMs: nowMs }
    for await (const page of deviceRowPages(once, { ...ofDevice, fromMs, toMs: Infinity }, by)) {
      // Of what was sent later than it was measured, a page holds enough that belongs together.
      const arrived = page.toSorted((a, b) => a.receivedAtMs - b.receivedAtMs || a.atMs - b.atMs)
      for (const reading of arrived) {
        const silences = hear(hearing, reading, listening)
        if (silences.isNews) found.push(silences)
      }
      await breathe()
    }
  }
  device.hearing = hearing
  device.isUnheard = false
  for (const silences of found) noteSilences(unit, device, silences)
}
