import { describe, expect, test } from 'vitest'
import { decodeUplink } from '../../ingest/decode/lora/uplink-items.ts'
import type { Fault } from '../../ingest/payloads.ts'
import type { SentReading } from '../hub/message.ts'
import { LoraEncoder } from './encoder.ts'
import { LORA_FORMATS, loraItem } from './uplink.ts'

const DEVICE = '24e1240000000001'
const OTHER = 'a840410000000002'
const AT = Date.UTC(2026, 10, 20, 10, 15, 2, 120)

describe.each(LORA_FORMATS)('%s', (format) => {
  const encoder = () => new LoraEncoder(format, AT)

  /** What ingest makes of the uplink of one reading or event. */
  function decoded(draft: Parameters<LoraEncoder['encode']>[0]) {
    const [, uplink] = encoder().encode(draft)
    return decodeUplink(uplink?.payload ?? Buffer.alloc(0), {
      server: format === 'chirpstack' ? 'chirpstack' : 'things_stack',
      topicDevice: uplink?.topic.split('/')[3] ?? '',
      receivedAtMs: AT + 1_000,
    })
  }

  const decodedReading = (reading: SentReading) =>
    decoded({ channel: 'readings', items: [reading] }).readings[0]

  test('a reading is understood as it was meant', () => {
    const reading = {
      device: DEVICE,
      at: AT,
      temperature: 4.37,
      humidity: 51.2,
      battery: 3,
      rssi: -91,
      snr: 7.5,
    }
    expect(decodedReading(reading)).toMatchObject({
      device: DEVICE,
      atMs: AT,
      temperature: 4.37,
      humidity: 51.2,
      battery: 3,
      rssi: -91,
      snr: 7.5,
      fault: null,
    })
  })

  test('what is 0 is left out, and understood as 0', () => {
    expect(decodedReading({ device: DEVICE, at: AT, temperature: 0, rssi: 0, snr: 0 })).toMatchObject({
      temperature: 0,
      rssi: 0,
      snr: 0,
    })
  })

  test.each(['no_probe', 'out_of_range', 'other', 'probe_short'] as const)('the fault %s', (fault: Fault) => {
    const meant = loraItem({ device: DEVICE, at: AT, fault })
    expect(decodedReading(meant)).toMatchObject({ temperature: null, fault: meant.fault })
  })

  test('a door event', () => {
    const { doors } = decoded({ channel: 'doors', items: [{ device: DEVICE, at: AT, state: 'open' }] })
    expect(doors).toMatchObject([{ device: DEVICE, atMs: AT, state: 'open' }])
  })

  test('each sensor joins before its first uplink, and counts its frames from 0', () => {
    const one = encoder()
    const send = (device: string) =>
      one.encode({ channel: 'readings', items: [{ device, at: AT, temperature: 4 }] })
    const topics = [DEVICE, OTHER, DEVICE].map((device) =>
      send(device).map(({ topic }) => topic.split('/').at(-1)),
    )
    expect(topics).toEqual([['join', 'up'], ['join', 'up'], ['up']])
    const counts = send(DEVICE).map(({ payload }) => JSON.parse(payload.toString()))
    expect(format === 'chirpstack' ? counts[0].fCnt : counts[0].uplink_message.f_cnt).toBe(2)
  })
})
