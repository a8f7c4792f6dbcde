import { chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DeviceRecord } from '../db/registry.ts'
import { until } from '../db/testing/poll.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { readSnapshot } from './snapshot-file.ts'
import { SnapshotKeeper } from './snapshot-keeper.ts'

let folder: string
let place: { path: string; database: string }
let keeper: SnapshotKeeper
let devices: DeviceRecord[]
const logged: string[] = []
const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(JSON.parse(line).msg) })

beforeEach(async () => {
  folder = await makeTestFolder()
  place = { path: join(folder, 'registry.snapshot'), database: 'postgres://app@db/frost' }
  devices = []
  logged.length = 0
  keeper = keeperWith(0)
})

afterEach(async () => {
  await keeper.stop()
  await removeTestFolder(folder)
})

function keeperWith(gapMs: number): SnapshotKeeper {
  return new SnapshotKeeper({ place, log, gapMs, contents: () => ({ devices, logIns: [] }) })
}

function learn(id: number): void {
  devices.push({ id, devEui: String(id).padStart(16, '0'), organizationId: 1, assignments: [] })
  keeper.changed()
}

async function written(): Promise<number[]> {
  const kept = await readSnapshot(place, log)
  return [...(kept?.devices ?? [])].map(({ id }) => id)
}

test('each change is written, for its owner only', async () => {
  learn(1)
  await until('the first is written', async () => (await written()).length === 1)
  learn(2)
  await until('the second is written', async () => (await written()).length === 2)
  expect((await stat(place.path)).mode & 0o777).toBe(0o600)
})

test('changes within the gap are written once, at the latest by the stop', async () => {
  keeper = keeperWith(3_600_000)
  learn(1)
  await until('the first is written', async () => (await written()).length === 1)
  const { ino } = await stat(place.path)
  for (const id of [2, 3, 4]) learn(id)
  expect((await stat(place.path)).ino).toBe(ino)
  await keeper.stop()
  expect(await written()).toEqual([1, 2, 3, 4])
})

test('without a change a stop writes nothing', async () => {
  await keeper.stop()
  expect(await written()).toEqual([])
  await expect(stat(place.path)).rejects.toThrow('ENOENT')
})

test('what a killed process left half written is no obstacle, and lends its mode to nothing', async () => {
  await writeFile(`${place.path}.next`, 'half')
  await chmod(`${place.path}.next`, 0o666)
  learn(1)
  await keeper.stop()
  expect(await written()).toEqual([1])
  expect((await stat(place.path)).mode & 0o777).toBe(0o600)
})

test('a disk that takes nothing is reported once, and written to again when it does', async () => {
  const { path } = place
  await mkdir(join(path, 'in the way'), { recursive: true })
  learn(1)
  await until('it is reported', () => logged.length > 0)
  learn(2)
  expect(logged).toEqual([expect.stringContaining(`${path} is not written`)])
  await rm(path, { recursive: true })
  await until('it is written again', async () => (await written()).length === 2)
  await until('that is reported', () => logged.length > 1)
  expect(logged).toEqual([expect.any(String), 'the snapshot of devices and log-ins is written again'])
})

test('the file is replaced, not written through: a reader has the old one or the new one, whole', async () => {
  for (let id = 0; id < 2_000; id += 1) learn(id)
  await until('the first is written', async () => (await written()).length > 0)
  let isDone = false
  const writes = (async () => {
    for (let id = 2_000; id < 2_050; id += 1) {
      learn(id)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await keeper.stop()
    isDone = true
  })()
  while (!isDone) expect((await written()).length).toBeGreaterThanOrEqual(2_000)
  await writes
  expect(logged).toEqual([])
})
