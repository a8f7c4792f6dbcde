import type { JsonRecord } from '../value.ts'

/** The network servers whose JSON is understood: ChirpStack v4 and The Things Stack v3. */
export type LoraServer = 'chirpstack' | 'things_stack'

/** LoRaWAN's port for the commands of the network: what is on it is not of the sensor. */
export const NETWORK_PORT = 0

/** One frame of a sensor as its network server passes it on, in the same words for both servers. */
export interface Uplink {
  server: LoraServer
  /** 16 lower-case hex digits; null when the message does not say (ChirpStack's topic does). */
  devEui: string | null
  /** The Things Stack's name of the device, which stands in its topic; null from ChirpStack. */
  deviceId: string | null
  /** Everything that may name the make and model: profile, device name, tags, brand and model ids. Lower case. */
  makeText: string
  /** 0 where left out: both servers leave out what is 0. */
  fPort: number
  /** Frame counter, 32 bits; 0 where left out. It starts again at 0 with every session. */
  fCnt: number
  /** The session's address, 8 lower-case hex digits; with `fCnt` and `bytes` it tells one frame from another. */
  devAddr: string | null
  /** The application's bytes, decrypted; empty when the frame had none. */
  bytes: Uint8Array
  /** What the server's codec made of the bytes; null without a codec, or when it failed. */
  decoded: JsonRecord | null
  /** The Things Stack's normalized payload; empty where there is none. */
  normalized: readonly JsonRecord[]
  /** When the network received it, epoch milliseconds; null when the message does not say, or is not readable. */
  networkAtMs: number | null
  /** How the gateway with the best signal heard it; null when no gateway is named. */
  reception: Reception | null
  /** The Things Stack marks what was typed into its console. */
  isSimulated: boolean
}

export interface Reception {
  /** dBm. */
  rssi: number
  /** dB. */
  snr: number
}

/** An uplink, or why the message is none: `malformed` = not its server's JSON, `invalid` = a field that breaks its rule. */
export type ParsedUplink =
  | { ok: true; uplink: Uplink }
  | { ok: false; reason: 'malformed' | 'invalid'; detail: string }
