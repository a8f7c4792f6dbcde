import type { Source } from '../../../db/copy/readings.ts'
import { MESSAGE_ITEMS_MAX } from '../../payloads.ts'
import { isPlausibleTime } from '../../time.ts'
import type { DoorItem } from '../doors.ts'
import { clockProblem } from '../fields.ts'
import { describeUnknown, type ItemDescription } from '../items.ts'
import { plain, type ReadingItem, whole } from '../readings.ts'
import { detailText, type Reject } from '../reject.ts'
import { vendorOf } from './make.ts'
import { momentsOf, whyNothing } from './moments.ts'
import { parseUplink } from './parse-uplink.ts'
import { type LoraServer, NETWORK_PORT, type Reception, type Uplink } from './types.ts'
import { chooseTemperature } from './values/choose.ts'
import type { Measures } from './values/types.ts'

/** What decoding an uplink needs to know beside its bytes. */
export interface UplinkContext {
  server: LoraServer
  /** The device that the topic names: ChirpStack's by its DevEUI, The Things Stack's by its own id. */
  topicDevice: string
  /** Wall clock at arrival, epoch milliseconds. */
  receivedAtMs: number
  /** The network's time of the uplink: that of its first copy, where it has come before. */
  timeOfFrame?: (uplink: Uplink) => number | null
}

/** The network's time of a frame, that of its first copy where it has come before. */
export type TimeOfFrame = (frame: Frame) => number | null

/** An uplink, and the organization of the client that has published it. */
export interface Frame extends Uplink {
  organizationId: number
}

/** Readings, door events and rejects of an uplink; none of all three = there was nothing in it. */
export interface DecodedUplink {
  readings: ReadingItem[]
  doors: DoorItem[]
  rejects: Reject[]
  describe: (item: number) => ItemDescription
  /** What was heard of which device, also where nothing could be made of it; null where that is not known. */
  heard: { device: string; uplink: Uplink } | null
}

/** Decodes an `up` message. Never throws: what cannot be used is among the rejects. */
export function decodeUplink(payload: Uint8Array, context: UplinkContext): DecodedUplink {
  const parsed = parseUplink(context.server, payload)
  if (!parsed.ok) return rejected({ reason: parsed.reason, detail: parsed.detail })
  const { uplink } = parsed
  const device = deviceOf(uplink, context)
  if (device === null) {
    return rejected({
      reason: 'not_your_device',
      detail: `${devicePath(uplink)}: expected the device of the topic (${context.topicDevice})`,
    })
  }
  const moments = momentsOf(uplink)
  if (moments.length === 0) {
    if (isEmpty(uplink)) return nothing(uplink, device)
    const problem = rejected({ reason: 'invalid', detail: whyNothing(uplink, vendorOf(uplink)), device })
    return { ...problem, heard: { device, uplink } }
  }
  const decoded = nothing(uplink, device)
  const networkAtMs = context.timeOfFrame ? context.timeOfFrame(uplink) : uplink.networkAtMs
  const frame = { uplink: { ...uplink, networkAtMs }, device, receivedAtMs: context.receivedAtMs }
  for (const measures of moments) takeMoment(decoded, measures, frame)
  const items = decoded.readings.length + decoded.doors.length + decoded.rejects.length
  if (items > MESSAGE_ITEMS_MAX) {
    const detail = `expected at most ${MESSAGE_ITEMS_MAX} readings and door events, got ${items}`
    return rejected({ reason: 'invalid', detail, device })
  }
  return decoded
}

/** Stands in the topic for whichever device the message names: Pub/Sub of The Things Stack has one topic for all. No id is `-`. */
const ANY_DEVICE = '-'

/** The device's DevEUI, or null when the message is of another device than its topic. */
function deviceOf({ server, devEui, deviceId }: Uplink, { topicDevice }: UplinkContext): string | null {
  if (server === 'chirpstack') return devEui === null || devEui === topicDevice ? topicDevice : null
  return deviceId === null || topicDevice === ANY_DEVICE || deviceId === topicDevice ? devEui : null
}

function devicePath({ server }: Uplink): string {
  return server === 'chirpstack' ? 'deviceInfo.devEui' : 'end_device_ids.dev_eui'
}

/** A frame of the network's own: it acknowledges, or answers a command of the network, and has no payload of a sensor. */
function isEmpty({ bytes, fPort, decoded, normalized }: Uplink): boolean {
  const isNetworks = bytes.length === 0 || fPort === NETWORK_PORT
  return isNetworks && normalized.length === 0 && Object.keys(decoded ?? {}).length === 0
}

function nothing(uplink: Uplink, device: string): DecodedUplink {
  const description = { devicePath: devicePath(uplink), device }
  return { readings: [], doors: [], rejects: [], describe: () => description, heard: { device, uplink } }
}

function rejected({ detail, ...reject }: Pick<Reject, 'reason' | 'detail' | 'device'>): DecodedUplink {
  const whole = { item: null, detail: detailText(detail), ...reject }
  return {
    readings: [],
    doors: [],
    rejects: [whole],
    describe: describeUnknown,
    heard: null,
  }
}

/** Items of one moment: a reading, a door event, both, or a reject where it has no time. */
function takeMoment(
  decoded: DecodedUplink,
  measures: Measures,
  { uplink, device, receivedAtMs }: { uplink: Uplink; device: string; receivedAtMs: number },
): void {
  const { readings, doors, rejects } = decoded
  const item = readings.length + doors.length + rejects.length
  const time = timeOf(measures, uplink, receivedAtMs)
  if (typeof time === 'string') {
    rejects.push({ item, reason: 'clock', detail: detailText(time), device })
    return
  }
  const { atMs } = time
  const origin = { device, atMs, ...sourceOf(time.source, uplink) }
  const { probes, humidity, battery, door, isHistory } = measures
  const hasReading = probes.length > 0 || humidity !== null || battery !== null
  if (hasReading) {
    readings.push({
      ...origin,
      item,
      ...chooseTemperature(probes, undefined),
      ...(probes.length > 0 && { probes }),
      humidity: plain(humidity),
      battery: whole(battery),
      ...receptionOf(isHistory ? null : uplink.reception),
    })
  }
  if (door !== null) doors.push({ ...origin, item: item + Number(hasReading), state: door })
}

interface ItemTime {
  /** Null = the time of arrival. */
  atMs: number | null
  source: Source
}

/**
 * When it was measured: the device's own time where that is plausible, else the network's. What the device has kept has
 * only its own: without, the result is the detail of its reject.
 */
function timeOf(measures: Measures, uplink: Uplink, receivedAtMs: number): ItemTime | string {
  const network = networkTime(uplink, receivedAtMs)
  const atMs = ownTime(measures, network.atMs ?? receivedAtMs)
  if (atMs !== null && isPlausibleTime(atMs, receivedAtMs)) return { atMs, source: 'device' }
  if (!measures.isHistory) return network
  return atMs === null
    ? 'a reading that the device has kept, without its time: it cannot be told when it was measured'
    : clockProblem({ path: 'time', value: new Date(atMs).toISOString(), atMs, receivedAtMs })
}

function ownTime({ atMs, beforeMs }: Measures, frameAtMs: number): number | null {
  return beforeMs === null ? atMs : frameAtMs - beforeMs
}

function networkTime({ networkAtMs }: Uplink, receivedAtMs: number): ItemTime {
  const isPlausible = networkAtMs !== null && isPlausibleTime(networkAtMs, receivedAtMs)
  return isPlausible ? { atMs: networkAtMs, source: 'network' } : { atMs: null, source: 'arrival' }
}

function sourceOf(source: Source, { isSimulated }: Uplink): { source: Source } {
  return { source: isSimulated ? 'simulated' : source }
}

/** What a radio cannot have measured is left out. */
function receptionOf(reception: Reception | null): Pick<ReadingItem, 'rssi' | 'snr'> {
  if (reception === null) return { rssi: null, snr: null }
  const { rssi, snr } = reception
  return {
    rssi: rssi >= -200 && rssi <= 20 ? whole(rssi) : null,
    snr: snr >= -50 && snr <= 50 ? plain(snr) : null,
  }
}
