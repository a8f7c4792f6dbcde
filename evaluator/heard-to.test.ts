import { expect, test } from 'vitest'
import { HeardTo } from './heard-to.ts'

test('is where both what is handed over and the ledger are judged, and does not go back', () => {
  const heardTo = new HeardTo()
  heardTo.noteLedger(100)
  expect(heardTo.isKnown).toBe(false)
  heardTo.noteHanded(50)
  expect(heardTo.isKnown).toBe(true)
  expect(heardTo.ms).toBe(50)
  heardTo.noteHanded(120)
  expect(heardTo.ms).toBe(100)
  heardTo.noteLedger(130)
  expect(heardTo.ms).toBe(120)
  // A batch waits that was committed before others that are judged.
  heardTo.noteHanded(90)
  heardTo.noteLedger(80)
  expect(heardTo.ms).toBe(120)
})
