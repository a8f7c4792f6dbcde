import { expect, test } from 'vitest'
import type { LoadShape } from '../context.ts'
import { runService } from '../measurements/service.ts'
import { LOSE_A_ROW, miniContext, valuesOf } from '../testing/context.ts'
import { measureMixed } from './mixed.ts'

const SHAPE: LoadShape = { name: 'mini', connections: 2, readingsPerMessage: 3, devices: 6, inFlightMax: 15 }
/** So much that every kind comes within a hundred messages. */
const FAULTS = { faultEvery: 5, doorsEvery: 10 }
const MIX = { ...FAULTS, resendEvery: 4 }

test('what is faulty, late or sent again is in the books as the ledger of the generator has it', async () => {
  const { shapes } = await measureMixed(await miniContext(), [SHAPE], MIX)
  const [result] = shapes
  expect(result?.problems).toEqual([])
  const values = valuesOf(result ?? { figures: [] })
  for (const name of [
    'readings stored',
    'readings stored already',
    'door events stored',
    'door events stored already',
    'rejected as malformed',
    'rejected as unknown_device',
    'rejected as invalid',
  ]) {
    expect(values[`mixed: ${name}`], name).toBeGreaterThan(0)
  }
  expect(values['share of the clean run, with 25 % resends']).toBeCloseTo(
    (values['with 25 % resends'] ?? 0) / (values['clean'] ?? 0),
  )
})

test('a mixed load does not count when a row has vanished', async () => {
  const context = await miniContext({ sql: LOSE_A_ROW })
  // Without resends: one of the lost row would bring it back.
  const { problems } = await runService(context, SHAPE, { mix: FAULTS })
  expect(problems).toEqual([
    expect.stringMatching(/^rows in sensor_readings, of the readings acknowledged: .* \(-1\)$/),
  ])
})
