import type { LoraServer } from '../types.ts'
import { type DecodedUplink, decodeUplink } from '../uplink-items.ts'

export const DEV_EUI = '0101010101010101'
export const THINGS_ID = 'dev1'
const NETWORK_TIME = '2026-11-21T10:00:00.250Z'
export const NETWORK_AT_MS = Date.parse(NETWORK_TIME)
export const RECEIVED_AT_MS = NETWORK_AT_MS + 1_000

/** What both servers can say of a frame. */
export interface TestUplink {
  /** The name of the device's profile; The Things Stack's brand and model, with a space between. */
  profile?: string
  fPort?: number
  fCnt?: number
  /** Hex. */
  bytes?: string
  decoded?: object | null
  /** The Things Stack only. */
  normalized?: object[] | null
  time?: string | undefined
  simulated?: boolean
  devEui?: string
}

/** An `up` event of ChirpStack v4; a 0 is left out, as it does. */
export function chirpStackUp(uplink: TestUplink): object {
  const { profile, fPort, fCnt, decoded, devEui = DEV_EUI } = uplink
  return {
    deduplicationId: '3ac7e3c4-4401-4b8d-9386-a5c902f9202d',
    time: 'time' in uplink ? uplink.time : NETWORK_TIME,
    deviceInfo: { devEui, deviceName: 'Sensor', ...(profile && { deviceProfileName: profile }) },
    devAddr: '00189440',
    ...(fPort && { fPort }),
    ...(fCnt && { fCnt }),
    ...(uplink.bytes && { data: base64(uplink.bytes) }),
    ...(decoded && { object: decoded }),
    rxInfo: [{ gatewayId: '0016c001f153a14c', rssi: -36, snr: 10.5 }],
  }
}

/** An `up` message of The Things Stack v3; what is empty is left out, as it does. */
export function thingsStackUp(uplink: TestUplink): object {
  const { profile = '', fPort, fCnt, decoded, normalized, devEui = DEV_EUI } = uplink
  const [brand, model] = profile.split(' ')
  return {
    end_device_ids: { device_id: THINGS_ID, dev_eui: devEui.toUpperCase(), dev_addr: '00BCB929' },
    uplink_message: {
      ...(fPort && { f_port: fPort }),
      ...(fCnt && { f_cnt: fCnt }),
      ...(uplink.bytes && { frm_payload: base64(uplink.bytes) }),
      ...(decoded && { decoded_payload: decoded }),
      ...(normalized && { normalized_payload: normalized }),
      rx_metadata: [{ gateway_ids: { gateway_id: 'gtw1' }, rssi: -35, snr: 5 }],
      version_ids: { brand_id: brand, model_id: model },
      received_at: 'time' in uplink ? uplink.time : NETWORK_TIME,
    },
    ...(uplink.simulated && { simulated: true }),
  }
}

/** Decodes what this server would publish. */
export function decodeFrom(server: LoraServer, uplink: TestUplink): DecodedUplink {
  const message = server === 'chirpstack' ? chirpStackUp(uplink) : thingsStackUp(uplink)
  return decodeUplink(Buffer.from(JSON.stringify(message)), {
    server,
    topicDevice: server === 'chirpstack' ? DEV_EUI : THINGS_ID,
    receivedAtMs: RECEIVED_AT_MS,
  })
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64')
}
