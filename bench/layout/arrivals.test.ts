import { expect, it } from 'vitest'
import { arrivals } from './arrivals.ts'

const FLEET = { devices: 50, devicesPerHub: 20, intervalMs: 300_000, hubSendMs: 60_000 }

it('lets every device measure once an interval, and never at the same time twice', () => {
  const rows = arrivals(FLEET).take(5_000).toArray()
  const keys = new Set(rows.map(({ deviceId, recordedAtMs }) => `${deviceId} ${recordedAtMs}`))
  expect(keys.size).toBe(5_000)
  for (let device = 1; device <= FLEET.devices; device += 1) {
    const times = rows.filter(({ deviceId }) => deviceId === device).map(({ recordedAtMs }) => recordedAtMs)
    expect(times.length).toBeGreaterThanOrEqual(98)
    times.slice(1).forEach((at, index) => {
      expect(at - (times[index] ?? 0)).toBe(FLEET.intervalMs)
    })
  }
})

it('is out of order by no more than a hub gathers', () => {
  let newest = 0
  for (const { recordedAtMs } of arrivals(FLEET).take(5_000)) {
    expect(newest - recordedAtMs).toBeLessThanOrEqual(FLEET.hubSendMs)
    newest = Math.max(newest, recordedAtMs)
  }
})
