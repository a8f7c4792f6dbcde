import type { SentDoor, SentReading } from '../hub/message.ts'

/** The JSON of which network server. */
export const LORA_FORMATS = ['chirpstack', 'the-things-stack'] as const
export type LoraFormat = (typeof LORA_FORMATS)[number]

/** A sensor's session with its network: it begins with a join, and its frames are counted from 0. */
export interface Session {
  devAddr: string
  fCnt: number
}

/** A message of a network server, before it is bytes. */
export interface NetworkMessage {
  topic: string
  json: Record<string, unknown>
}

const APPLICATION = 'simulated'
const JOIN_EUI = '8000000000000001'
const GATEWAY = '0016c001f153a14c'
const F_PORT = 2
/** Numbers that sensors send instead of a temperature. */
const SENTINELS = { no_probe: 327.67, out_of_range: 250, other: 85 } as const

/** What a sensor can say of it: by a radio there are fewer faults than by a hub. */
export function loraItem<Item extends SentReading | SentDoor>(item: Item): Item {
  if ('state' in item || item.fault === undefined || item.fault in SENTINELS) return item
  return { ...item, fault: 'other' }
}

export function uplinkOf(format: LoraFormat, item: SentReading | SentDoor, session: Session): NetworkMessage {
  return format === 'chirpstack' ? chirpStackUp(item, session) : thingsStackUp(item, session)
}

export function joinOf(
  format: LoraFormat,
  { device, at }: { device: string; at: number },
  { devAddr }: Session,
): NetworkMessage {
  const time = new Date(at).toISOString()
  return format === 'chirpstack'
    ? { topic: chirpStackTopic(device, 'join'), json: { time, deviceInfo: deviceInfo(device), devAddr } }
    : {
        topic: thingsStackTopic(device, 'join'),
        json: {
          end_device_ids: endDeviceIds(device, devAddr),
          received_at: time,
          join_accept: { received_at: time },
        },
      }
}

/** Where something of this sensor is published. */
export function uplinkTopic(format: LoraFormat, device: string): string {
  return format === 'chirpstack' ? chirpStackTopic(device, 'up') : thingsStackTopic(device, 'up')
}

/** Both servers leave out what is 0. */
function chirpStackUp(item: SentReading | SentDoor, { devAddr, fCnt }: Session): NetworkMessage {
  return {
    topic: chirpStackTopic(item.device, 'up'),
    json: {
      time: new Date(item.at).toISOString(),
      deviceInfo: deviceInfo(item.device),
      devAddr,
      ...(fCnt > 0 && { fCnt }),
      fPort: F_PORT,
      data: frameBytes(fCnt),
      object: fieldsOf(item),
      rxInfo: [{ gatewayId: GATEWAY, ...receptionOf(item) }],
    },
  }
}

function thingsStackUp(item: SentReading | SentDoor, { devAddr, fCnt }: Session): NetworkMessage {
  const received_at = new Date(item.at).toISOString()
  return {
    topic: thingsStackTopic(item.device, 'up'),
    json: {
      end_device_ids: endDeviceIds(item.device, devAddr),
      received_at,
      uplink_message: {
        f_port: F_PORT,
        ...(fCnt > 0 && { f_cnt: fCnt }),
        frm_payload: frameBytes(fCnt),
        decoded_payload: fieldsOf(item),
        rx_metadata: [{ gateway_ids: { gateway_id: 'simulated', eui: GATEWAY }, ...receptionOf(item) }],
        received_at,
      },
    },
  }
}

/** As the codec of a device profile would name them; both temperatures are that of the unit, whichever its fleet file wants. */
function fieldsOf(item: SentReading | SentDoor): Record<string, unknown> {
  if ('state' in item) return { door: item.state }
  const { temperature, humidity, battery, fault } = item
  const celsius = fault === undefined ? temperature : SENTINELS[fault as keyof typeof SENTINELS]
  return {
    ...(celsius !== undefined && { temperature_internal: celsius, temperature_external: celsius }),
    ...(humidity !== undefined && { humidity }),
    ...(battery !== undefined && { battery }),
  }
}

function receptionOf(item: SentReading | SentDoor): { rssi?: number; snr?: number } {
  if ('state' in item) return {}
  const { rssi = 0, snr = 0 } = item
  return { ...(rssi !== 0 && { rssi }), ...(snr !== 0 && { snr }) }
}

/** Nobody decodes these bytes, as the codec has; no two frames of a session have the same. */
function frameBytes(fCnt: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(fCnt)
  return bytes.toString('base64')
}

function chirpStackTopic(device: string, event: 'up' | 'join'): string {
  return `application/${APPLICATION}/device/${device}/event/${event}`
}

function thingsStackTopic(device: string, event: 'up' | 'join'): string {
  return `v3/${APPLICATION}@demo/devices/eui-${device}/${event}`
}

function deviceInfo(device: string) {
  return { deviceName: device, deviceProfileName: 'simulated sensor', devEui: device }
}

function endDeviceIds(device: string, devAddr: string) {
  return {
    device_id: `eui-${device}`,
    application_ids: { application_id: APPLICATION },
    dev_eui: device.toUpperCase(),
    join_eui: JOIN_EUI,
    dev_addr: devAddr.toUpperCase(),
  }
}
