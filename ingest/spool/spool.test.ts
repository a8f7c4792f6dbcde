import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { SpoolFailedError, SpoolFullError } from './errors.ts'
import { isTestBatch, testBatch } from './testing/batches.ts'
import { EVERYTHING, idsIn, MIB, openTestSpool, testFolder } from './testing/spools.ts'
import { startAppender } from './testing/start-appender.ts'
import type { SpooledBatch } from './types.ts'

const nameOf = ({ id, writer }: SpooledBatch) => ({ id, writer })

test('batches come back whole and in order of append, also from a file that is opened again', async () => {
  const folder = await testFolder()
  const ids = [5, 3, 9, 1, 7]
  const spool = await openTestSpool(folder)
  for (const id of ids) await spool.append([testBatch(id)])
  for (let opened = spool; ; opened = await openTestSpool(folder)) {
    const batches = await opened.oldest(EVERYTHING)
    expect(batches.map(({ id }) => Number(id))).toEqual(ids)
    expect(batches.filter((batch) => !isTestBatch(batch))).toEqual([])
    await opened.close()
    if (opened !== spool) break
  }
})

test('every field of a message and a batch comes back', async () => {
  const spool = await openTestSpool(await testFolder())
  const [message] = testBatch(1, { messages: 1 }).messages
  const batch: SpooledBatch = {
    id: 2n ** 62n + 1n,
    writer: 'a-writer',
    tried: true,
    items: { readings: 3, doors: 2, status: 1 },
    messages: [
      {
        topic: 'v1/hubs/kühl/readings',
        payload: Uint8Array.of(0, 255, 10),
        oversizedBytes: 4_194_304,
        qos: 2,
        isWill: true,
        receivedAt: 1_795_174_500_123,
        clientId: 'hub|ü',
        principal: { ...message?.principal, kind: 'device', name: '24e124136b502f4a' },
      } as SpooledBatch['messages'][number],
    ],
  }
  await spool.append([batch])
  const [read] = await spool.oldest(EVERYTHING)
  expect({
    ...read,
    messages: read?.messages.map((m) => ({ ...m, payload: Uint8Array.from(m.payload) })),
  }).toEqual(batch)
})

test('the stats are right after every call and at open', async () => {
  const folder = await testFolder()
  const spool = await openTestSpool(folder)
  const empty = { readings: 0, doors: 0, status: 0 }
  expect(spool.stats).toMatchObject({ batches: 0, messages: 0, items: empty, oldestReceivedAtMs: null })
  await spool.append([testBatch(1, { receivedAt: 1_000 }), testBatch(2, { receivedAt: 2_000 })])
  await spool.append([testBatch(5, { messages: 3, receivedAt: 3_000 })])
  const all = {
    batches: 3,
    messages: 23,
    items: { readings: 23, doors: 5, status: 2 },
    oldestReceivedAtMs: 1_000,
  }
  expect(spool.stats).toMatchObject(all)
  await spool.close()

  const again = await openTestSpool(folder)
  expect(again.stats).toMatchObject(all)
  const onDisk = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))))
  const databases = onDisk.filter(({ size }) => size > 100).reduce((sum, { size }) => sum + size, 0)
  expect(again.stats.bytes).toBe(databases)
  await again.remove([nameOf(testBatch(1)), nameOf(testBatch(4))])
  expect(again.stats).toMatchObject({ batches: 2, messages: 13, oldestReceivedAtMs: 2_000 })
  expect(again.stats.items).toEqual({ readings: 13, doors: 4, status: 1 })
  await again.remove([nameOf(testBatch(5)), nameOf(testBatch(2))])
  expect(again.stats).toMatchObject({ batches: 0, messages: 0, items: empty, oldestReceivedAtMs: null })
})

test('appends of one moment are all kept, in the order in which they were asked for', async () => {
  const spool = await openTestSpool(await testFolder())
  const ids = Array.from({ length: 300 }, (_, index) => index + 1)
  await Promise.all(ids.map((id) => spool.append([testBatch(id)])))
  expect(await idsIn(spool)).toEqual(ids)
})

test('an append may reuse the memory of its messages as soon as it has been called', async () => {
  const spool = await openTestSpool(await testFolder())
  const memory = Buffer.from('before')
  const batch = testBatch(1, { messages: 1 })
  const appended = spool.append([
    { ...batch, messages: batch.messages.map((message) => ({ ...message, payload: memory })) },
  ])
  memory.fill('x')
  await appended
  const [read] = await spool.oldest(EVERYTHING)
  expect(Buffer.from(read?.messages[0]?.payload ?? []).toString()).toBe('before')
})

test('the oldest batches come up to the limits, and at least one', async () => {
  const spool = await openTestSpool(await testFolder())
  expect(await spool.oldest({ batches: 1, bytes: 1 })).toEqual([])
  for (let id = 1; id <= 5; id++) await spool.append([testBatch(id, { messages: 10, payloadBytes: 1_000 })])
  const count = async (batches: number, bytes: number) => (await spool.oldest({ batches, bytes })).length
  expect(await count(3, MIB)).toBe(3)
  expect(await count(100, MIB)).toBe(5)
  expect(await count(100, 25_000)).toBe(2)
  expect(await count(100, 1)).toBe(1)
  expect(await count(0, 0)).toBe(1)
})

test('what is removed is gone, in whatever order, and the id of another writer is another batch', async () => {
  const folder = await testFolder()
  const spool = await openTestSpool(folder)
  for (let id = 1; id <= 6; id++) await spool.append([testBatch(id)])
  await spool.append([{ ...testBatch(3), writer: 'another' }])
  await spool.remove([nameOf(testBatch(5)), nameOf(testBatch(3)), { id: 4n, writer: 'unknown' }])
  expect(await idsIn(spool)).toEqual([1, 2, 4, 6, 3])
  await spool.remove([])
  await spool.remove([nameOf(testBatch(1)), nameOf(testBatch(1))])
  await spool.close()
  expect(await idsIn(await openTestSpool(folder))).toEqual([2, 4, 6, 3])
})

test('the folder and its files are for their owner alone', async () => {
  const folder = join(await testFolder(), 'deeper')
  const spool = await openTestSpool(folder)
  await spool.append([testBatch(1)])
  const names = await readdir(folder)
  expect(names).toContain('spool.db-wal')
  const modes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).mode & 0o777))
  expect(new Set(modes)).toEqual(new Set([0o600]))
  for (const made of [folder, dirname(folder)]) expect((await stat(made)).mode & 0o777).toBe(0o700)
})

test('a spool whose oldest batch is past the limit of age is full until it has been removed', async () => {
  let nowMs = 1_000_000
  const spool = await openTestSpool(await testFolder(), { ageMaxMs: 5_000, now: () => nowMs })
  await spool.append([testBatch(1, { receivedAt: nowMs })])
  nowMs += 5_000
  await spool.append([testBatch(2, { receivedAt: nowMs })])
  expect(spool.state).toBe('ready')
  nowMs += 1
  expect(spool.state).toBe('full')
  expect(spool.reason).toMatch(/holds messages since 1970-01-01T00:16:40.000Z, .*limit of 5000 ms/)
  await expect(spool.append([testBatch(3)])).rejects.toThrow(SpoolFullError)
  expect(await idsIn(spool)).toEqual([1, 2])
  await spool.remove([nameOf(testBatch(1))])
  expect([spool.state, spool.reason]).toEqual(['ready', undefined])
  await spool.append([testBatch(3, { receivedAt: nowMs })])
})

test('close writes what is being appended, may be called again, and ends the spool', async () => {
  const folder = await testFolder()
  const spool = await openTestSpool(folder)
  const appends = [1, 2, 3].map((id) => spool.append([testBatch(id)]))
  await Promise.all([spool.close(), spool.close()])
  await Promise.all(appends)
  await expect(spool.append([testBatch(4)])).rejects.toThrow(/is closed/)
  await expect(spool.oldest(EVERYTHING)).rejects.toThrow(SpoolFailedError)
  await expect(spool.remove([nameOf(testBatch(1))])).rejects.toThrow(SpoolFailedError)
  expect(await idsIn(await openTestSpool(folder))).toEqual([1, 2, 3])
})

test('only one process may have it open; the other is told which, and may when that one is gone', async () => {
  const folder = await testFolder()
  const holder = startAppender({ folder, batches: 4 })
  await holder.said('done')
  const refused = openTestSpool(folder)
  await expect(refused).rejects.toThrow(SpoolFailedError)
  await expect(refused).rejects.toThrow(`in use by process ${holder.pid}`)
  holder.signal('SIGKILL')
  await holder.ended
  const spool = await openTestSpool(folder)
  expect(await idsIn(spool)).toEqual([1, 2, 3, 4])
  await expect(openTestSpool(folder)).rejects.toThrow(`in use by process ${process.pid}`)
  await spool.append([testBatch(5)])
  expect(await startAppender({ folder }).ended).toBe(1)
})

test('SIGINT leaves the thread alone; SIGTERM lets the process close it', async () => {
  const folder = await testFolder()
  const appender = startAppender({ folder, batches: 150 })
  await appender.said('opened')
  appender.signal('SIGINT')
  await appender.said('interrupted')
  await appender.said('done')
  appender.signal('SIGTERM')
  await appender.said('closed')
  expect(await appender.ended).toBe(0)
  expect((await readdir(folder)).sort()).toEqual(['spool.db', 'spool.db.pid'])
  expect(await idsIn(await openTestSpool(folder))).toHaveLength(150)
})
