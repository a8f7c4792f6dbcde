import { readFileSync } from 'node:fs'
import type { TestUplink } from './uplinks.ts'

/** A payload of a real device: its bytes, and what its vendor's codec makes of them. */
export interface Vector {
  id: string
  vendor: string
  device: string
  fPort: number | null
  bytes: string
  decoded: object | null
  normalized: object[] | null
}

/** What is stored of a vector, or why nothing is. */
export interface Expected {
  /** Without a time: that of the network. */
  readings?: { temperature?: number; humidity?: number; battery?: number; fault?: string; at?: string }[]
  doors?: string[]
  rejects?: string[]
}

/**
 * Each compared by hand with the decoded fields; percentages of a battery follow the curves of values/battery.ts. Some of
 * the files are wrong or say nothing:
 * - d2x-lb states the fields of another device (lht65n): a server's codec is believed where its values are plausible.
 * - lsn50v2-d20 has a probe at exactly 0 beside a sensor that works: it is not connected.
 * - em300-th has a percentage in a field of volts, strips too.
 * - Laird's backlog has the time 2000-01-01: the sensor never got one, so it cannot be told when it was measured.
 * - Comtac's seven older values have no time at all.
 */
export const EXPECTED: ReadonlyMap<string, Expected> = new Map<string, Expected>([
  ['dragino:lht65:CBF60B0D0376:2', { readings: [{ temperature: 27.81, humidity: 88.6, battery: 100 }] }],
  ['dragino:lht65:CBF60B0D0376:42', { rejects: ['invalid'] }],
  ['dragino:lds02:0B8801002500:42', { rejects: ['invalid'] }],
  [
    'dragino:ltc2:0E5501086208:2',
    { readings: [{ temperature: 21.46, battery: 100, at: '2021-07-06T11:21:42.000Z' }] },
  ],
  ['dragino:lsn50v2-d20:0B5400000000:2', { readings: [{ fault: 'no_probe', humidity: 51.7, battery: 40 }] }],
  ['dragino:lht65n:CBF60B0D0376:2', { readings: [{ temperature: 27.81, humidity: 88.6, battery: 100 }] }],
  ['dragino:d2x-lb:0CF601010300:2', { readings: [{ temperature: 27.81, humidity: 88.6, battery: 56 }] }],
  ['dragino:lds02:0B8801001BB3:10', { readings: [{ battery: 95 }], doors: ['closed'] }],
  ['dragino:lwl02:0C1E02000004:10', { readings: [{ battery: 100 }] }],
  ['elsys:ers:0100E2022904:1', { readings: [{ temperature: 22.6, humidity: 41 }] }],
  ['elsys:ers-lite:0100E20229:1', { readings: [{ temperature: 22.6, humidity: 41 }] }],
  ['elsys:ems-door:030127050A11:1', { rejects: ['invalid'] }],
  ['elsys:ems-lite:0100E2022912:1', { readings: [{ temperature: 22.6, humidity: 41 }] }],
  ['elsys:elsys:0100C6022A07:5', { readings: [{ temperature: 19.8, humidity: 42, battery: 98 }] }],
  ['elsys:elsys:01FFCE0250:5', { readings: [{ temperature: -5, humidity: 80 }] }],
  ['browan:tbhh100:08AB3522FFFF:103', { readings: [{ temperature: 21, humidity: 34, battery: 100 }] }],
  ['browan:tbhh100:01:42', { rejects: ['invalid'] }],
  ['browan:tabs-tbhh100:080B232FFFFF:103', { readings: [{ temperature: 3, humidity: 47, battery: 100 }] }],
  ['browan:tabs-tbhh100:080A0D3AFFFF:103', { readings: [{ temperature: -19, humidity: 58, battery: 60 }] }],
  [
    'decentlab:dl-sht35:02030E000364:1',
    { readings: [{ temperature: 23.787670710307466, humidity: 47.536430914778364, battery: 100 }] },
  ],
  ['decentlab:dl-sht35:02030E00020C:1', { readings: [{ battery: 100 }] }],
  ['decentlab:dl-ds18:02023D000381:1', { readings: [{ temperature: 21.875, battery: 100 }] }],
  ['decentlab:dl-ds18:02023D00020C:1', { readings: [{ battery: 100 }] }],
  ['netvox:r711:0101011E09EA:6', { readings: [{ temperature: 25.38, humidity: 68, battery: 100 }] }],
  ['netvox:r711a:01BC011E09EA:6', { readings: [{ temperature: 25.38, battery: 100 }] }],
  ['netvox:r718ab:0113012409EA:6', { readings: [{ temperature: 25.38, humidity: 68, battery: 100 }] }],
  ['netvox:r718b:0195012400FD:6', { readings: [{ temperature: 25.3, battery: 100 }] }],
  ['netvox:r718ct:0192012400FD:6', { readings: [{ temperature: 25.3, battery: 100 }] }],
  ['netvox:r718f:011D01240100:6', { readings: [{ battery: 100 }], doors: ['open'] }],
  [
    'laird:rs1xx-temp-rh-sensor:010021344362:1',
    { readings: [{ temperature: 98.67, humidity: 52.33, battery: 80 }] },
  ],
  ['laird:rs1xx-temp-rh-sensor:020000000005:1', { readings: [{ battery: 80 }], rejects: ['clock', 'clock'] }],
  ['laird:rs1xx-temp-rh-sensor:040102000000:1', { rejects: ['clock', 'clock'] }],
  ['laird:rs1xx-temp-rh-sensor:0A000103:1', { readings: [{ battery: 100 }] }],
  ['laird:rs1xx-ext-temp-rtd-sensor:030200000002:1', { rejects: ['clock'] }],
  ['laird:rs1xx-ext-temp-rtd-sensor:040102000000:1', { rejects: ['clock', 'clock'] }],
  ['laird:rs1xx-ext-multi-sensor:090000010101:1', { doors: ['open'] }],
  ['mclimate:ht-sensor:01028880AB:2', { readings: [{ temperature: 24.8, humidity: 50, battery: 50 }] }],
  ['mclimate:ht-sensor:01027473F104:-', { readings: [{ temperature: 22.8, humidity: 44.92, battery: 92 }] }],
  ['tektelic:t00048xx:0367000A0468:10', { readings: [{ temperature: 1, humidity: 20 }] }],
  ['tektelic:t00061xx:036701260468:10', { readings: [{ temperature: 29.4, humidity: 25.5, battery: 52 }] }],
  ['talkpool:oy1100:121AD7121A46:1', { readings: [{ temperature: 30.1, humidity: 42.3 }] }],
  ['talkpool:oy1110:3E441D:2', { readings: [{ temperature: 19.3, humidity: 85.1 }] }],
  ['comtac:lpn-cm4:01120997030A:3', { readings: [{ temperature: 27.01, humidity: 35, battery: 76 }] }],
  [
    'comtac:lpn-cm4:01120297040A:3',
    {
      readings: [{ temperature: 27.23, humidity: 29, battery: 76 }],
      rejects: ['clock', 'clock', 'clock', 'clock', 'clock', 'clock', 'clock'],
    },
  ],
  ['milesight-iot:em300-th:0175320367C8:1', { readings: [{ temperature: 20, humidity: 30, battery: 50 }] }],
  ['milesight-iot:ws301:030001:85', { doors: ['open'] }],
  [
    'milesight-iot:em320-th:01755C036734:85',
    { readings: [{ temperature: 30.8, humidity: 50.5, battery: 92 }] },
  ],
  ['milesight-iot:em500-pt100:01755C036719:85', { readings: [{ temperature: 28.1, battery: 92 }] }],
  ['sensative:strips:FFFF01500200:1', { readings: [{ temperature: 23.4, battery: 80 }] }],
  ['milesight:em300-th:03672C000468:-', { readings: [{ temperature: 4.4, humidity: 11.5 }] }],
  ['milesight:em500-pt100:01756403672C:-', { readings: [{ temperature: 30, battery: 100 }] }],
])

/** Those that our own decoders read as the vendor's codec does. */
export const OWN_DECODERS = /^(?:dragino:(?:lht65n?|ltc2|lds02):|elsys:|milesight)/

export const { vectors: VECTORS } = JSON.parse(
  readFileSync(new URL('vectors.json', import.meta.url), 'utf8'),
) as { vectors: Vector[] }

/** The uplink of a vector, as a network server with its vendor's codec passes it on. */
export function uplinkOf({ vendor, device, fPort, bytes, decoded, normalized }: Vector): TestUplink {
  // Port 0 is the network's own: where the vector does not say, it is another.
  return { profile: `${vendor} ${device}`, fPort: fPort ?? 1, bytes, decoded, normalized }
}
