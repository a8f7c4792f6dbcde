/** Every payload of testing/vectors.json, by both servers: what is stored of it, or why nothing is. */
import { describe, expect, test } from 'vitest'
import { decodeFrom, NETWORK_AT_MS } from './testing/uplinks.ts'
import { EXPECTED, type Expected, OWN_DECODERS, uplinkOf, VECTORS } from './testing/vectors.ts'
import type { LoraServer } from './types.ts'
import type { DecodedUplink } from './uplink-items.ts'

/** In the form of `Expected`; what is null is left out. */
function summary({ readings, doors, rejects }: DecodedUplink): Expected {
  return {
    ...(readings.length > 0 && {
      readings: readings.map(({ temperature, humidity, battery, fault, atMs }) => ({
        ...(temperature !== null && { temperature }),
        ...(humidity !== null && { humidity }),
        ...(battery !== null && { battery }),
        ...(fault !== null && { fault }),
        ...(atMs !== NETWORK_AT_MS && { at: new Date(atMs ?? 0).toISOString() }),
      })),
    }),
    ...(doors.length > 0 && { doors: doors.map(({ state }) => state) }),
    ...(rejects.length > 0 && { rejects: rejects.map(({ reason }) => reason) }),
  }
}

test('each vector has an expectation', () => {
  expect(VECTORS.map(({ id }) => id).sort()).toEqual([...EXPECTED.keys()].sort())
})

describe.each<LoraServer>(['chirpstack', 'things_stack'])('from %s', (server) => {
  test.each(VECTORS.map((vector) => [vector.id, vector] as const))('%s', (id, vector) => {
    expect(summary(decodeFrom(server, uplinkOf(vector)))).toEqual(EXPECTED.get(id))
  })

  test.each(VECTORS.filter(({ id }) => OWN_DECODERS.test(id)).map((vector) => [vector.id, vector] as const))(
    '%s without a codec',
    (id, vector) => {
      const uplink = { ...uplinkOf(vector), decoded: null, normalized: null }
      expect(summary(decodeFrom(server, uplink))).toEqual(EXPECTED.get(id))
    },
  )

  test.each(VECTORS.filter(({ id }) => !OWN_DECODERS.test(id)).map((vector) => [vector.id, vector] as const))(
    '%s without a codec is rejected, and the detail says what to do',
    (_id, vector) => {
      const { readings, doors, rejects } = decodeFrom(server, {
        ...uplinkOf(vector),
        decoded: null,
        normalized: null,
      })
      expect([readings, doors]).toEqual([[], []])
      expect(rejects).toMatchObject([{ item: null, reason: 'invalid', device: '0101010101010101' }])
      expect(rejects[0]?.detail).toMatch(/no decoder for \d+ bytes on port \d+ .*add a codec/)
    },
  )
})

describe('Milesight bytes without a codec and without a model', () => {
  const bytes = '0175320367C80004683C'

  test('are known by the DevEUI', () => {
    const { readings } = decodeFrom('things_stack', { fPort: 85, bytes, devEui: '24e124136b502f4a' })
    expect(readings).toMatchObject([{ temperature: 20, humidity: 30, battery: 50 }])
  })

  test("not by themselves: Tektelic's look the same, the other way round", () => {
    const tektelic = VECTORS.find(({ id }) => id.startsWith('tektelic:t00048xx'))
    for (const of of [bytes, tektelic?.bytes ?? '']) {
      const { readings, rejects } = decodeFrom('things_stack', { fPort: 10, bytes: of })
      expect([readings, rejects]).toMatchObject([[], [{ reason: 'invalid' }]])
    }
  })
})
