import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { brokerId } from './broker-id.ts'

test('a DATA_DIR keeps the name of its broker; one that was cut off in a crash is replaced', async () => {
  const folder = await makeTestFolder()
  try {
    const dataDir = join(folder, 'data')
    const id = await brokerId(dataDir)
    expect(await brokerId(dataDir)).toBe(id)
    expect(await brokerId(join(folder, 'other'))).not.toBe(id)
    await writeFile(join(dataDir, 'broker-id'), id.slice(0, 10))
    const replaced = await brokerId(dataDir)
    expect(replaced).not.toBe(id)
    expect(await readFile(join(dataDir, 'broker-id'), 'utf8')).toBe(replaced)
  } finally {
    await removeTestFolder(folder)
  }
})
