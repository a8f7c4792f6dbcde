import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { PAGE_BYTES } from './bounds.ts'
import { SpoolFailedError } from './errors.ts'
import { testBatch, WRITER } from './testing/batches.ts'
import { EVERYTHING, idsIn, MIB, openTestSpool, testFolder } from './testing/spools.ts'

/** A closed spool with some batches. */
async function closedSpool(count: number): Promise<{ folder: string; file: string }> {
  const folder = await testFolder()
  const spool = await openTestSpool(folder)
  for (let id = 1; id <= count; id++) await spool.append([testBatch(id, { payloadBytes: 10_000 })])
  await spool.close()
  return { folder, file: join(folder, 'spool.db') }
}

async function folderWith(content: string | Buffer): Promise<{ folder: string; file: string }> {
  const folder = await testFolder()
  await mkdir(folder)
  const file = join(folder, 'spool.db')
  await writeFile(file, content)
  return { folder, file }
}

async function expectRefused(folder: string, words: RegExp): Promise<void> {
  const opening = openTestSpool(folder)
  await expect(opening).rejects.toThrow(SpoolFailedError)
  await expect(opening).rejects.toThrow(words)
}

function changeDatabase(file: string, sql: string): void {
  const database = new DatabaseSync(file)
  database.exec(sql)
  database.close()
}

test.each([
  ['a few bytes', Buffer.from('short')],
  ['a text', Buffer.from('This is no database. '.repeat(10_000))],
  ['zeros', Buffer.alloc(200_000)],
])('%s is no spool: it says so and what to do, and leaves it alone', async (_name, content) => {
  const { folder, file } = await folderWith(content)
  await expectRefused(
    folder,
    /spool\.db is damaged or is no spool: .*not deleted\. Move it away .*start again/,
  )
  expect(await readFile(file)).toEqual(content)
})

test('a spool with a damaged page is refused and left there; without it a new one is made', async () => {
  const { folder, file } = await closedSpool(20)
  const handle = await open(file, 'r+')
  await handle.write(Buffer.alloc(PAGE_BYTES, 'noise'), 0, PAGE_BYTES, PAGE_BYTES)
  await handle.close()
  const { size } = await stat(file)
  await expectRefused(folder, /damaged or is no spool/)
  expect((await stat(file)).size).toBe(size)
  await rename(file, join(folder, 'moved-away.db'))
  expect(await idsIn(await openTestSpool(folder))).toEqual([])
})

test('a file that was cut off is refused', async () => {
  const { folder, file } = await closedSpool(20)
  await writeFile(file, (await readFile(file)).subarray(0, 3 * PAGE_BYTES + 100))
  await expectRefused(folder, /damaged or is no spool/)
})

test('a log without its database is not thrown away', async () => {
  const { folder, file } = await closedSpool(1)
  const log = `${file}-wal`
  await writeFile(log, Buffer.alloc(100_000, 'log'))
  for (const lose of [() => writeFile(file, ''), () => rm(file)]) {
    await lose()
    await expectRefused(folder, /missing or empty, but its write-ahead log is there/)
    expect((await stat(log)).size).toBe(100_000)
  }
})

test('the database of another program, or of another version, is refused', async () => {
  const { folder, file } = await folderWith('')
  changeDatabase(file, 'CREATE TABLE other (id INTEGER)')
  await expectRefused(folder, /database of another program/)
  const newer = await closedSpool(1)
  changeDatabase(newer.file, 'PRAGMA user_version = 2')
  await expectRefused(newer.folder, /written by another version of FrostGuard .*format 2, expected 1/)
})

test('a folder where nothing can be made is a sentence', async () => {
  const { folder, file } = await folderWith('')
  await rm(file)
  await mkdir(file)
  await expectRefused(folder, /cannot be opened: .*Check that its folder is there/)
})

test('a spool that others could read is closed to them when it is opened', async () => {
  const { folder, file } = await closedSpool(1)
  await chmod(file, 0o644)
  await openTestSpool(folder)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
})

test('a damaged batch is passed over and said, the others are read and removed, nothing is appended', async () => {
  const { folder, file } = await closedSpool(5)
  changeDatabase(
    file,
    `UPDATE batches SET content = CAST(substr(content, 1, 99) || X'00' || substr(content, 101) AS BLOB)
     WHERE id IN (1, 3)`,
  )
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line) => lines.push(line) })
  const spool = await openTestSpool(folder, { log })
  expect(spool.stats.batches).toBe(5)
  expect(await idsIn(spool)).toEqual([2, 4, 5])
  expect(spool.stats).toMatchObject({ batches: 3, messages: 30 })
  expect([spool.state, spool.reason]).toEqual([
    'failed',
    expect.stringMatching(/holds 2 damaged batch.*is 3/),
  ])
  expect(lines).toHaveLength(1)
  await expect(spool.append([testBatch(6)])).rejects.toThrow(SpoolFailedError)
  await spool.remove([2n, 4n, 5n].map((id) => ({ id, writer: WRITER })))
  expect(await spool.oldest(EVERYTHING)).toEqual([])
  expect(spool.stats).toMatchObject({ batches: 0, oldestReceivedAtMs: null })
  await spool.close()
  expect((await openTestSpool(folder)).stats.batches).toBe(2)
})

test('a spool that is moved away while it is in use takes nothing more', async () => {
  const { folder, file } = await closedSpool(1)
  const spool = await openTestSpool(folder)
  await rename(file, join(folder, 'moved.db'))
  await expect(spool.append([testBatch(2)])).rejects.toThrow(/removed or moved while it was in use/)
  expect(spool.state).toBe('failed')
  await writeFile(file, '')
  await expect(spool.append([testBatch(2)])).rejects.toThrow(SpoolFailedError)
  expect(await idsIn(spool)).toEqual([1])
})

test('a refused file keeps no thread and no lock', async () => {
  const { folder, file } = await folderWith('no database')
  for (let round = 0; round < 3; round++) await expectRefused(folder, /damaged/)
  await rm(file)
  const spool = await openTestSpool(folder)
  await spool.append([testBatch(1, { messages: 1, payloadBytes: MIB })])
  expect(await readdir(folder)).toContain('spool.db-wal')
})
