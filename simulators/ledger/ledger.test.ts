import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeTestFolder, removeTestFolder } from '../../db/testing/test-folder.ts'
import { DEVICES, door, message, reading, START_MS } from '../testing/messages.ts'
import { createJournal } from './journal.ts'
import { Ledger } from './ledger.ts'
import { readLedger } from './read-ledger.ts'

const SUBJECT = { organization: 'acme', devices: DEVICES, clients: ['hub-1'], startedAtMs: START_MS }

let folder: string
beforeAll(async () => {
  folder = await makeTestFolder()
})
afterAll(() => removeTestFolder(folder))

const full = () => message({ readings: [reading(START_MS), reading(START_MS + 2)], doors: [door(START_MS)] })

/** What can be seen of a ledger. */
function contents(ledger: Ledger) {
  const { readingRows, doorRows, readings, doors, rejects, subject } = ledger
  const rows = (kind: typeof readingRows | typeof doorRows) =>
    Array.from({ length: kind.keys.length }, (_, row) => ({
      device: kind.keys.device.get(row),
      at: kind.keys.at.get(row),
      outcome: kind.keys.stateOf(row),
      ...kind.values(row),
    }))
  return {
    subject,
    readings,
    doors,
    rejects: [...rejects],
    rows: [...rows(readingRows), ...rows(doorRows)],
  }
}

describe('a message is pending, then acknowledged or dropped for good', () => {
  test('acknowledged', () => {
    const ledger = new Ledger(SUBJECT)
    const sent = full()
    ledger.attempt(sent)
    expect(contents(ledger).rows.map(({ outcome }) => outcome)).toEqual(['pending', 'pending', 'pending'])
    if (sent.entry) ledger.acknowledge(sent.entry)
    ledger.drop(sent)
    expect(contents(ledger).rows.map(({ outcome }) => outcome)).toEqual(Array(3).fill('acknowledged'))
    expect(ledger.readings).toEqual({
      published: 2,
      acknowledged: 2,
      dropped: 0,
      droppedUnsent: 0,
      sentAgain: 0,
    })
    expect(ledger.doors).toMatchObject({ published: 1, acknowledged: 1 })
  })

  test('dropped after an attempt, or before any', () => {
    const ledger = new Ledger(SUBJECT)
    const sent = full()
    ledger.attempt(sent)
    ledger.drop(sent)
    ledger.drop(full())
    expect(contents(ledger).rows.map(({ outcome }) => outcome)).toEqual(['dropped', 'dropped', 'dropped'])
    expect(ledger.readings).toMatchObject({ published: 2, dropped: 2, droppedUnsent: 2, acknowledged: 0 })
  })

  test('sent again: the rows are the same, only the attempts are counted', () => {
    const ledger = new Ledger(SUBJECT)
    const sent = full()
    ledger.attempt(sent)
    ledger.attempt(sent)
    const repeat = { ...sent, isRepeat: true }
    if (sent.entry) ledger.acknowledge(sent.entry)
    ledger.attempt(repeat)
    if (repeat.entry) ledger.acknowledge(repeat.entry)
    expect(ledger.readings).toMatchObject({ published: 2, acknowledged: 2, sentAgain: 4 })
    expect(ledger.readingRows.keys.length).toBe(2)
  })

  test('rejects are counted for each publish and each PUBACK', () => {
    const ledger = new Ledger(SUBJECT)
    const sent = message({ rejects: ['clock'] })
    ledger.attempt(sent)
    ledger.attempt(sent)
    if (sent.entry) ledger.acknowledge(sent.entry)
    expect([...ledger.rejects]).toEqual([['clock', { sent: 2, acknowledged: 1 }]])
  })

  test('a device of another fleet is a mistake', () => {
    const ledger = new Ledger(SUBJECT)
    const strange = message({ readings: [reading(START_MS, { device: 'ffffffffffffffff' })] })
    expect(() => ledger.attempt(strange)).toThrow('not about device ffffffffffffffff')
  })
})

describe('rows', () => {
  test('keep what PostgreSQL keeps: 4-byte floats, whole battery and RSSI with halves up, no -0', () => {
    const ledger = new Ledger(SUBJECT)
    const values = { temperature: -0, humidity: 51.23, snr: -7.5, rssi: -90.5, battery: 87.5 }
    ledger.attempt(message({ readings: [reading(START_MS, values)] }))
    const kept = ledger.readingRows.values(0)
    expect(kept).toEqual({
      temperature: 0,
      humidity: Math.fround(51.23),
      snr: -7.5,
      rssi: -90,
      battery: 88,
      fault: null,
    })
    expect(Object.is(kept.temperature, 0)).toBe(true)
  })

  test('tell absent from 0', () => {
    const ledger = new Ledger(SUBJECT)
    const zeros = { temperature: 0, humidity: 0, snr: 0, rssi: 0, battery: 0 }
    const fault = { device: DEVICES[2], at: START_MS, fault: 'no_probe' } as const
    ledger.attempt(message({ readings: [reading(START_MS, zeros), fault] }))
    expect(ledger.readingRows.values(0)).toEqual({ ...zeros, fault: null })
    expect(ledger.readingRows.values(1)).toEqual({
      ...{ temperature: null, humidity: null, snr: null, rssi: null, battery: null },
      fault: 'no_probe',
    })
  })

  test('go on past a chunk, at about 30 bytes each', () => {
    const ledger = new Ledger(SUBJECT)
    const count = 200_000
    for (let row = 0; row < count; row += 1_000) {
      const readings = Array.from({ length: 1_000 }, (_, n) =>
        reading(START_MS + row + n, { temperature: (row + n) / 100 }),
      )
      ledger.attempt(message({ readings }))
    }
    expect(ledger.readingRows.keys.length).toBe(count)
    for (const row of [0, 65_535, 65_536, 131_072, count - 1]) {
      expect(ledger.readingRows.keys.at.get(row)).toBe(START_MS + row)
      expect(ledger.readingRows.values(row).temperature).toBe(Math.fround(row / 100))
    }
    // The last chunk is not full.
    expect(ledger.readingRows.bytes / count).toBeLessThan(40)
  })
})

describe('the ledger file', () => {
  /** A ledger with everything that can happen, written to a file. */
  function written(path: string): Ledger {
    const journal = createJournal(path, SUBJECT)
    const ledger = new Ledger(SUBJECT, journal)
    const one = full()
    ledger.attempt(one)
    ledger.attempt(one)
    if (one.entry) ledger.acknowledge(one.entry)
    const dropped = message({ readings: [reading(START_MS + 4, { fault: 'stuck', rssi: -91 })] })
    ledger.attempt(dropped)
    ledger.drop(dropped)
    ledger.drop(full())
    ledger.attempt(message({ readings: [reading(START_MS + 6)], rejects: ['invalid'] }))
    journal.close()
    return ledger
  }

  test('is read back as it was written', async () => {
    const path = join(folder, 'all.ndjson')
    const ledger = written(path)
    expect(contents(await readLedger(path))).toEqual(contents(ledger))
    expect((await readFile(path, 'utf8')).split('\n')).toHaveLength(9)
  })

  test('holds each event before the call returns', async () => {
    const path = join(folder, 'open.ndjson')
    const journal = createJournal(path, SUBJECT)
    const ledger = new Ledger(SUBJECT, journal)
    ledger.attempt(full())
    expect((await readLedger(path)).readings.published).toBe(2)
    journal.close()
  })

  test('a last line that was cut off is passed over; damage before it is not', async () => {
    const path = join(folder, 'cut.ndjson')
    const ledger = written(path)
    await appendFile(path, '{"kind":"acknow')
    expect(contents(await readLedger(path))).toEqual(contents(ledger))
    await appendFile(path, '\n{"kind":"acknowledge","id":0}\n')
    await expect(readLedger(path)).rejects.toThrow('cut.ndjson is damaged at line 9')
  })

  test.each([
    ['nothing', '', 'is empty'],
    ['something else', '{"hubs":{}}\n', 'damaged at line 1'],
    [
      'an acknowledgement of nothing',
      `${JSON.stringify({ ledger: 1, ...SUBJECT })}\n{"kind":"again","id":7}\n{"kind":"again","id":7}\n`,
      'damaged at line 2',
    ],
  ])('with %s in it is refused with a sentence', async (_what, text, words) => {
    const path = join(folder, `bad-${words.length}-${text.length}.ndjson`)
    await writeFile(path, text)
    await expect(readLedger(path)).rejects.toThrow(words)
  })

  test('that is missing is named, and one that is there is not written over', async () => {
    await expect(readLedger(join(folder, 'none.ndjson'))).rejects.toThrow(
      /none\.ndjson cannot be read: ENOENT/,
    )
    const path = join(folder, 'there.ndjson')
    written(path)
    expect(() => createJournal(path, SUBJECT)).toThrow('EEXIST')
  })
})
