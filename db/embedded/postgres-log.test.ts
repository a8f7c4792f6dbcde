import { open, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeTestFolder, removeTestFolder } from '../testing/test-folder.ts'
import { boundLog, readLog } from './postgres-log.ts'

let folder: string
beforeAll(async () => {
  folder = await makeTestFolder()
})
afterAll(() => removeTestFolder(folder))

test('a log that has grown too large starts anew under its writer, and the old part is kept', async () => {
  const path = join(folder, 'large.log')
  const writer = await open(path, 'a')
  const line = `${'x'.repeat(1_048_575)}\n`
  for (let i = 0; i < 9; i += 1) await writer.write(line)
  await boundLog(path)
  await writer.write('after\n')
  await writer.close()
  expect(await readFile(path, 'utf8')).toBe('after\n')
  expect((await stat(`${path}.1`)).size).toBe(9 * 1_048_576)
})

test('a small or missing log is left alone', async () => {
  const path = join(folder, 'small.log')
  await boundLog(path)
  await writeFile(path, 'one\ntwo\n')
  await boundLog(path)
  expect(await readFile(path, 'utf8')).toBe('one\ntwo\n')
})

test('reads from a position, and no more than the limit from the end', async () => {
  const path = join(folder, 'read.log')
  await writeFile(path, 'one\ntwo\nthree\n')
  expect(await readLog(path, 4, 100)).toBe('two\nthree')
  expect(await readLog(path, 0, 6)).toBe('three')
  // Emptied meanwhile: the position is beyond the end.
  expect(await readLog(path, 1_000, 100)).toBe('one\ntwo\nthree')
})
