import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { LateRows, RowDensity } from './late-rows.ts'
import { loadUnits } from './load-units.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { readsOf } from './testing/reads.ts'
import { type DeviceContext, noteLate } from './unit-context.ts'

const MINUTE_MS = 60_000
/** As far as a refold looks back: 8 intervals of 5 minutes. */
const BACK_MINUTES = 40

let fleet: EvaluatedFleet
let devices: DeviceContext[]
beforeAll(async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], devices: 3, minutes: 300 })
  await fleet.commit(
    [
      [200, 5.5],
      [100, 4],
      [110, 6],
    ].map(([minute = 0, celsius = 0]) => [minute, celsius] as const),
  )
  await fleet.commit([[150, 7]], 1)
  await fleet.commit(
    [
      [20, 8],
      [150, 9],
    ],
    2,
  )
  const options = { nowMs: Date.now(), pauses: [], offsets: new Map(), onDefect: () => {} }
  const [unit] = await loadUnits(readsOf(fleet.db.$client).once, options)
  devices = fleet.devices.flatMap((id) => unit?.devices.get(id) ?? [])
})
afterAll(() => fleet.close())

const at = (minute: number) => fleet.beginMs + minute * MINUTE_MS

function late(minutes: readonly (number | null)[]): DeviceContext[] {
  for (const [index, minute] of minutes.entries()) {
    const device = devices[index]
    if (!device) continue
    device.late = undefined
    if (minute !== null) noteLate(device, { fromMs: at(minute), toMs: at(minute) })
  }
  return devices.filter((device) => device.late)
}

const read = (given: DeviceContext[], statementTimeoutMs = 30_000) =>
  LateRows.read(readsOf(fleet.db.$client, statementTimeoutMs), given, {
    nowMs: Date.now(),
    density: new RowDensity(),
  })

const minutesOf = (rows: LateRows, index: number, fromMinute: number, toMinute = 1_000) =>
  rows
    .of(devices[index] as DeviceContext, { fromMs: at(fromMinute), toMs: at(toMinute) })
    ?.map(({ atMs }) => (atMs - fleet.beginMs) / MINUTE_MS)

test('of devices that are late together it has the rows that a refold looks at first, in order of evaluation', async () => {
  const rows = await read(late([140, 150, null]))
  expect(minutesOf(rows, 0, 100)).toEqual([100, 110, 200])
  expect(minutesOf(rows, 0, 110, 200)).toEqual([110])
  expect(minutesOf(rows, 1, 140)).toEqual([150])
  // Further back it has not looked, nor at others.
  expect(minutesOf(rows, 0, 140 - BACK_MINUTES - 1)).toBeUndefined()
  expect(minutesOf(rows, 2, 140)).toBeUndefined()
})

test('one that is late by much more does not make it look further back for the others', async () => {
  const rows = await read(late([140, 150, 30]))
  expect(minutesOf(rows, 0, 100)).toEqual([100, 110, 200])
  expect(minutesOf(rows, 2, 30)).toBeUndefined()
})

test('one alone is read as it goes', async () => {
  const rows = await read(late([140, null, null]))
  expect(minutesOf(rows, 0, 140)).toBeUndefined()
})

test('of devices whose rows take too long to read it knows nothing', async () => {
  const holder = await fleet.db.$client.connect()
  await holder.query('BEGIN; LOCK TABLE sensor_readings IN ACCESS EXCLUSIVE MODE')
  const rows = await read(late([140, 150, null]), 200)
  await holder.query('ROLLBACK')
  holder.release()
  expect(minutesOf(rows, 0, 140)).toBeUndefined()
})

test('of many more rows than the intervals let expect, only the first reading asks for too much', async () => {
  const rowsEach = 15_000
  const dense = await openEvaluatedFleet({ rules: [TOO_WARM], devices: 8, minutes: 300 })
  onTestFinished(() => dense.close())
  await dense.db.$client.query(
    `INSERT INTO sensor_readings (organization_id, unit_id, device_id, recorded_at, received_at, temperature, source, batch_id)
     SELECT d.organization_id, d.unit_id, d.id, at, at, 5, 'hub', 1
     FROM devices d, generate_series(1, $1) n, to_timestamp($2::float8 / 1000 + n * 0.1) at WHERE d.id = ANY ($3)`,
    [rowsEach, dense.beginMs + 140 * MINUTE_MS, dense.devices],
  )
  const reads = readsOf(dense.db.$client)
  const [unit] = await loadUnits(reads.once, {
    ...{ nowMs: Date.now(), pauses: [], offsets: new Map(), onDefect: () => {} },
  })
  const given = dense.devices.flatMap((id) => unit?.devices.get(id) ?? [])
  const fromMs = dense.beginMs + 140 * MINUTE_MS
  for (const device of given) noteLate(device, { fromMs, toMs: fromMs })
  let tooMany = 0
  const counting = {
    once: async <T>(read: Parameters<typeof reads.once<T>>[0]) => {
      const rows = await reads.once(read)
      if (rows === undefined) tooMany += 1
      return rows
    },
    isTurnSpent: false,
  }
  const density = new RowDensity()
  for (const inVain of [1, 0]) {
    tooMany = 0
    const rows = await LateRows.read(counting, given, { nowMs: Date.now(), density })
    const known = given.map((device) => rows.of(device, { fromMs, toMs: Infinity })?.length)
    expect(known).toEqual(given.map(() => rowsEach))
    expect(tooMany).toBe(inVain)
  }
})
