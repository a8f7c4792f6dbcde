import type { Client } from 'aedes'
import { expect, test } from 'vitest'
import { Acknowledgements } from './acknowledgements.ts'

/** What is written to of a client; `isTaken` is what its socket says to a write. */
function openClient(isTaken: boolean) {
  const written: string[] = []
  let drains = 0
  const conn = {
    write: (bytes: Buffer) => {
      written.push(bytes.toString('hex'))
      return isTaken
    },
  }
  const state = { closed: false, conn, waitForDrain: () => drains++ }
  return { client: state as unknown as Client, state, written, drains: () => drains }
}

test('those of one turn are one write, in order', async () => {
  const { client, written, drains } = openClient(true)
  const acknowledgements = new Acknowledgements(client, () => {})
  acknowledgements.add(1)
  acknowledgements.add(0x1234)
  acknowledgements.add(0xffff)
  expect(written).toEqual([])
  await Promise.resolve()
  acknowledgements.add(2)
  await Promise.resolve()
  expect(written).toEqual(['40020001' + '40021234' + '4002ffff', '40020002'])
  expect(drains()).toBe(0)
})

test('a client whose socket takes nothing is given its drain timeout', async () => {
  const { client, drains } = openClient(false)
  new Acknowledgements(client, () => {}).add(1)
  await Promise.resolve()
  expect(drains()).toBe(1)
})

test('what is not written because the client has gone is counted', async () => {
  const { client, state, written } = openClient(true)
  const dropped: number[] = []
  const acknowledgements = new Acknowledgements(client, (count) => dropped.push(count))
  acknowledgements.add(1)
  acknowledgements.add(2)
  state.closed = true
  await Promise.resolve()
  expect([written, dropped]).toEqual([[], [2]])
})
