import { expect, test } from 'vitest'
import { runProgram } from '../contract/testing/clients.ts'
import { lastStage, readDockerfile, soleValue } from '../deploy/testing/image.ts'
import { readProjectFile } from '../deploy/testing/project.ts'
import { HEAP_FLAGS } from './heap-flags.ts'

test('the start script and the image start the service with them', () => {
  const { scripts } = JSON.parse(readProjectFile('package.json'))
  expect(scripts.start).toBe(`exec node ${HEAP_FLAGS.join(' ')} --import ./check-runtime.mjs main.ts`)
  const image = lastStage(readDockerfile('Dockerfile'))
  expect(JSON.parse(soleValue(image, 'CMD'))).toEqual([
    'node',
    ...HEAP_FLAGS,
    '--import',
    './check-runtime.mjs',
    'main.ts',
  ])
})

/** Lets 200 MB pass, of which 20,000 small arrays live at any time; prints the young generation's most, MB. */
const CHURN = `
  const { getHeapSpaceStatistics } = require('node:v8')
  const kept = []
  let most = 0
  for (let count = 0; count < 1_500_000; count++) {
    kept[count % 20_000] = new Array(16).fill(count)
    if (count % 10_000 > 0) continue
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
    most = Math.max(most, young.physical_space_size)
  }
  console.log(most / 2 ** 20)`

test('this Node takes them, and keeps the young generation small', async () => {
  const run = async (flags: readonly string[]) => {
    const ended = await runProgram(process.execPath, [...flags, '--eval', CHURN], { env: {}, cwd: '/' })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    return Number(ended.stdout)
  }
  expect(await run(HEAP_FLAGS)).toBeLessThanOrEqual(24)
  expect(await run(['--max-semi-space-size=32'])).toBeGreaterThan(24)
})
