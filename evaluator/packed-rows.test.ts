import { expect, test } from 'vitest'
import type { ReadingRow } from '../db/copy/readings.ts'
import { PackedReadings } from './packed-rows.ts'

const ROW: ReadingRow = {
  deviceId: 2_147_483_647,
  unitId: 7,
  organizationId: 1,
  recordedAtMs: 1_795_174_500_123,
  receivedAtMs: 1_795_174_500_999,
  temperature: -18.25,
  humidity: 40,
  battery: 0,
  rssi: -90,
  snr: 7,
  fault: null,
  source: 'hub',
}

test('what is unpacked is what was packed, as far as it is judged', () => {
  const packed = new PackedReadings([
    ROW,
    { ...ROW, unitId: null, temperature: null, battery: null },
    { ...ROW, fault: 'no_probe' },
    { ...ROW, recordedAtMs: ROW.receivedAtMs + 1, temperature: 0 },
  ])
  const reading = {
    kind: 'reading',
    deviceId: 2_147_483_647,
    atMs: ROW.recordedAtMs,
    recordedAtMs: ROW.recordedAtMs,
    receivedAtMs: ROW.receivedAtMs,
    temperatureCenti: -1825,
    battery: 0,
    fault: null,
  }
  expect(packed.length).toBe(4)
  expect([0, 1, 2].map((index) => packed.unitIdAt(index))).toEqual([7, null, 7])
  expect(packed.readingAt(0)).toEqual(reading)
  expect(packed.readingAt(1)).toEqual({ ...reading, temperatureCenti: null, battery: null })
  // Of a faulty probe the temperature is unknown.
  expect(packed.readingAt(2)).toEqual({ ...reading, temperatureCenti: null, fault: 'no_probe' })
  expect(packed.readingAt(3)).toEqual({
    ...reading,
    atMs: ROW.receivedAtMs,
    recordedAtMs: ROW.receivedAtMs + 1,
    temperatureCenti: 0,
  })
})
