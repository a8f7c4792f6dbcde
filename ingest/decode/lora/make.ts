import type { Uplink } from './types.ts'

export type Vendor =
  | 'browan'
  | 'comtac'
  | 'decentlab'
  | 'dragino'
  | 'elsys'
  | 'laird'
  | 'mclimate'
  | 'milesight'
  | 'netvox'
  | 'sensative'
  | 'talkpool'
  | 'tektelic'

/** Who made a device, and the words that may name its model (`Uplink.makeText`). */
export interface Make {
  vendor: Vendor | null
  makeText: string
}

/** Who made a device, by the words of its profile: the vendor's name, or its model names. */
const WORDS: readonly (readonly [Vendor, RegExp])[] = [
  ['milesight', /milesight|ursalink|\b(?:em3|em5|ws3|ts3|ts2|ts1)\d\d\b/],
  ['dragino', /dragino|\b(?:lht65|lht52|lds0\d|ltc2|lsn50|lwl0\d|d2\d-lb|s31)/],
  ['elsys', /elsys|\b(?:ers|ems|elt)(?=\b|[\d_])/],
  ['netvox', /netvox|\br(?:311|313|711|718)/],
  ['browan', /browan|\btb(?:hh|dw|hv|ms|sl|wl)100\b/],
  ['laird', /laird|ezurio|\brs1(?:xx|86|91)/],
  ['decentlab', /decentlab|\bdl-/],
  ['mclimate', /mclimate/],
  ['tektelic', /tektelic|\bt000\d\d/],
  ['sensative', /sensative|\bstrips?\b/],
  ['talkpool', /talkpool|\boy1\d\d\d\b/],
  ['comtac', /comtac|\blpn-?(?:cm|td|km)/],
]

/** By the first bytes of the DevEUI, which the IEEE gives to vendors. */
const EUI_PREFIXES: readonly (readonly [prefix: string, Vendor])[] = [
  ['24e124', 'milesight'],
  ['a84041', 'dragino'],
  ['a81758', 'elsys'],
  ['00137a', 'netvox'],
  ['e8e1e1', 'browan'],
  ['647fda', 'tektelic'],
  ['0025ca', 'laird'],
]

/** Who made the device of an uplink; null when neither its profile nor its DevEUI tells. */
export function vendorOf({ makeText, devEui }: Pick<Uplink, 'makeText' | 'devEui'>): Vendor | null {
  const byWords = WORDS.find(([, words]) => words.test(makeText))
  if (byWords) return byWords[0]
  return EUI_PREFIXES.find(([prefix]) => devEui?.startsWith(prefix))?.[1] ?? null
}
