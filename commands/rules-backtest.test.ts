import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ProgramResult, runProgram } from '../contract/testing/clients.ts'
import { type EvaluatedFleet, openEvaluatedFleet } from '../evaluator/testing/evaluated-fleet.ts'

const PROGRAM = fileURLToPath(new URL('./rules-backtest.ts', import.meta.url))
const TOO_WARM = '{"type":"temperature_above","limit":5,"for_seconds":600}'

let fleet: EvaluatedFleet
beforeAll(async () => {
  fleet = await openEvaluatedFleet({ rules: [], minutes: 60 })
  await fleet.commit([
    [0, 3],
    [5, 5.6],
    [10, 6.1],
    [15, 6.4],
    [20, 4.4],
    [25, 4.4],
    [30, 4.2],
  ])
  await fleet.commitDoors([
    [0, 'open'],
    [10, 'closed'],
  ])
})
afterAll(() => fleet.close())

test('says what a rule would have raised, and changes nothing', async () => {
  const time = (minute: number) => new Date(fleet.beginMs + minute * 60_000).toISOString()
  const { code, stdout } = await backtest('--organization', 'example', '--condition', TOO_WARM)
  expect(stdout.split('\n')).toEqual([
    `Cooler: temperature_above, began ${time(5)}, raised ${time(15)}, ended ${time(20)} after 15 min, at worst 6.4`,
    'temperature_above: 1 alerts in 1 units, 9 readings and door events',
    '',
  ])
  expect(code).toBe(0)
  const doors = await backtest('--organization', 'example', '--condition', '{"type":"door_open"}')
  expect(doors.stdout).toContain(`door_open, began ${time(0)}, raised ${time(5)}, ended ${time(10)}`)
  const preset = await backtest('--organization', 'example', '--preset', 'who-vaccine-fridge')
  expect(preset.stdout).toContain('temperature_below: 0 alerts')
  expect(await fleet.alerts()).toEqual([])
})

test.each([
  [['--condition', TOO_WARM], '--organization is missing'],
  [['--organization', 'nobody', '--condition', TOO_WARM], 'There is no organization "nobody"'],
  [['--organization', 'example'], 'Expected either --condition or --preset'],
  [['--organization', 'example', '--condition', '{"type":"no_data"}'], 'cannot be tried on the past'],
])('%s: %s', async (args, sentence) => {
  const { code, stderr } = await backtest(...args)
  expect(stderr).toContain(sentence)
  expect(code).toBe(1)
})

function backtest(...args: string[]): Promise<ProgramResult> {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env
  const env = { PATH, HOME, NODE_COMPILE_CACHE, DATABASE_URL: fleet.url }
  return runProgram(process.execPath, [PROGRAM, ...args], { env, cwd: '/' })
}
