import { expect, test } from 'vitest'
import { SaveRound } from './save-round.ts'

const PLACE = { cursor: { tx: '7', batchId: 3n }, newestId: 5n }

test('a save of little is one part, with which the cursor moves', () => {
  const round = new SaveRound(PLACE, { devices: ['1 2', '1 3'], unitIds: [1] }, 0)
  expect(round.next(1)).toEqual({ devices: new Set(['1 2', '1 3']), unitIds: new Set([1]), place: PLACE })
})

test('so is one of nothing: the cursor moves', () => {
  expect(new SaveRound(PLACE, { devices: [], unitIds: [] }, 0).next(0)).toMatchObject({ place: PLACE })
})

test('one of much goes in parts, each device and unit in one of them; the cursor moves with the last', () => {
  const devices = Array.from({ length: 250 }, (_, index) => `1 ${index}`)
  const unitIds = Array.from({ length: 120 }, (_, index) => index)
  const round = new SaveRound(PLACE, { devices, unitIds }, 0)
  const parts = [round.next(1), round.next(2), round.next(3)]
  expect(parts.map(({ place }) => place)).toEqual([undefined, undefined, PLACE])
  expect(parts.flatMap((part) => [...part.devices])).toEqual(devices)
  expect(parts.flatMap((part) => [...part.unitIds])).toEqual(unitIds)
  expect(Math.max(...parts.map((part) => part.devices.size))).toBeLessThan(devices.length)
})

test('a device that is added is stored before the cursor moves, once', () => {
  const round = new SaveRound(
    PLACE,
    { devices: Array.from({ length: 150 }, (_, id) => `1 ${id}`), unitIds: [] },
    0,
  )
  expect(round.next(1).place).toBeUndefined()
  round.add('2 7')
  const last = round.next(2)
  expect(last.place).toEqual(PLACE)
  expect(last.devices).toContain('2 7')
  const long = new SaveRound(
    PLACE,
    { devices: Array.from({ length: 250 }, (_, id) => `1 ${id}`), unitIds: [] },
    0,
  )
  let parts = 0
  for (let isLast = false; !isLast; parts += 1) {
    long.add('2 7')
    isLast = long.next(3).place !== undefined
  }
  expect(parts).toBe(3)
})

test('one that takes too long ends with all that is left, so that the cursor does not stand', () => {
  const devices = Array.from({ length: 250 }, (_, index) => `1 ${index}`)
  const round = new SaveRound(PLACE, { devices, unitIds: [] }, 1_000)
  expect(round.next(2_000).place).toBeUndefined()
  const rest = round.next(60_000)
  expect(rest.place).toEqual(PLACE)
  expect([...rest.devices]).toEqual(devices.slice(100))
})
