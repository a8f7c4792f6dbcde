import { expect, test } from 'vitest'
import type { ReadingRow } from '../db/copy/readings.ts'
import { MessageNumbers, PackedReadings, packedRows } from './packed-rows.ts'

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
  const packed = new PackedReadings(
    packedRows(
      [
        ROW,
        { ...ROW, unitId: null, temperature: null, battery: null },
        { ...ROW, fault: 'no_probe' },
        { ...ROW, recordedAtMs: ROW.receivedAtMs + 1, temperature: 0 },
        { ...ROW, source: 'simulated' },
      ],
      new MessageNumbers(1),
    ),
  )
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
  expect(packed.length).toBe(5)
  // What was simulated is not judged.
  expect([0, 1, 2, 4].map((index) => packed.unitIdAt(index))).toEqual([7, null, 7, null])
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

test('messages are told apart, and not divided', () => {
  const [first, second] = [{ arrival: { arrivedAtMs: 10 } }, { arrival: { arrivedAtMs: 20 } }]
  const rows = [first, first, second, second, second, first].map((message) => ({ ...ROW, message }))
  const messages = new MessageNumbers(7)
  const packed = new PackedReadings(packedRows(rows, messages))
  expect(rows.map((_row, index) => [packed.messageAt(index), packed.arrivedAtMsAt(index)])).toEqual(
    [7, 7, 8, 8, 8, 7].map((message) => [message, message === 7 ? 10 : 20]),
  )
  expect(messages.next).toBe(9)
  expect(packed.sliceEnd(0, 1)).toBe(2)
  expect(packed.sliceEnd(2, 2)).toBe(5)
  expect(packed.sliceEnd(5, 100)).toBe(6)
})
