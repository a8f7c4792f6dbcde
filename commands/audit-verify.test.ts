import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ProgramResult, runProgram } from '../contract/testing/clients.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from '../evaluator/testing/evaluated-fleet.ts'

const PROGRAM = fileURLToPath(new URL('./audit-verify.ts', import.meta.url))

let fleet: EvaluatedFleet
beforeAll(async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM] })
})
afterAll(() => fleet.close())

test('says that the audit log is as it was written, or where it is not', async () => {
  expect(await verify()).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^example: \d+ entries, intact, newest hash [0-9a-f]{64}\n$/),
  })
  expect(await verify('--organization', 'nobody')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is no organization nobody.'),
  })
  await fleet.db.$client.query(`UPDATE event_logs SET actor = 'somebody else' WHERE id = 2`)
  expect(await verify('--organization', 'example')).toMatchObject({
    code: 1,
    stdout: 'example: broken. Entry 2 was changed; the 1 before it are intact.\n',
  })
})

function verify(...args: string[]): Promise<ProgramResult> {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env
  const env = { PATH, HOME, NODE_COMPILE_CACHE, DATABASE_URL: fleet.url }
  return runProgram(process.execPath, [PROGRAM, ...args], { env, cwd: '/' })
}
