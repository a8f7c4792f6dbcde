import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeTestFolder, removeTestFolder } from '../../db/testing/test-folder.ts'
import { OptionError } from '../options.ts'
import { startChild } from '../processes/child.ts'
import { testResources } from '../testing/resources.ts'
import { parseLayoutOptions } from './main.ts'

let folder: string

beforeAll(async () => {
  folder = await makeTestFolder()
})

afterAll(async () => {
  await removeTestFolder(folder)
})

test.each([
  [['--devices=many'], /--devices=many: expected/],
  [['--rows=0'], /--rows=0: expected/],
  [['--step=15000'], /--step=15000: expected a multiple of --batch, which is 10000/],
  [['--fields=3'], /"npm run bench -- layout --help" lists the options/],
])('%s is refused with a sentence', (args, sentence) => {
  expect(() => parseLayoutOptions(args)).toThrow(sentence)
  expect(() => parseLayoutOptions(args)).toThrow(OptionError)
})

test('Ctrl-C leaves neither a server nor a folder', async () => {
  const args = ['layout', '--devices=1000', '--rows=100000000']
  const layout = startChild({ script: 'bench/main.ts', args, env: { TMPDIR: folder } }, testResources())
  await layout.ready((stdout) => stdout.includes('rows/s'))
  expect(await readdir(folder)).toHaveLength(1)
  process.kill(layout.pid, 'SIGINT')
  expect(await layout.ended).toBe(1)
  expect(await readdir(folder)).toEqual([])
})
