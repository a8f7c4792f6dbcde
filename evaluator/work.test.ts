import { expect, test } from 'vitest'
import { addHanded, type Work } from './work.ts'

const ROW = { deviceId: 1, unitId: 2, organizationId: 3, receivedAtMs: 1_000 }
const READING = {
  ...ROW,
  recordedAtMs: 900,
  temperature: 4,
  humidity: null,
  battery: null,
  rssi: null,
  snr: null,
  fault: null,
}
const DOOR = { ...ROW, occurredAtMs: 900, state: 'open' as const }

test('what was simulated is judged by nobody, also when it is handed over', () => {
  const work: Work = new Map()
  const batch = {
    id: 1n,
    committedAtMs: 0,
    readings: [
      { ...READING, source: 'hub' as const },
      { ...READING, recordedAtMs: 901, source: 'simulated' as const },
    ],
    doors: [{ ...DOOR, source: 'simulated' as const }],
  }
  addHanded(work, batch, new Map())
  expect([...work.values()]).toMatchObject([{ readings: [{ recordedAtMs: 900 }], doors: [] }])
})
