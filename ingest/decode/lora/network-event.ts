import { parseJson } from '../json.ts'
import { isRecord, type JsonRecord, quote } from '../value.ts'
import { devAddrOf, devEuiOf, recordOf, timeOf } from './fields.ts'
import type { LoraServer } from './types.ts'

/** What a network server says of a sensor beside its uplinks. */
export interface NetworkEvent {
  /** 16 lower-case hex digits; null when the message does not say (ChirpStack's topic does). */
  devEui: string | null
  /** When, epoch milliseconds; null when the message does not say, or is not readable. */
  atMs: number | null
  /** The sensor has begun a new session. */
  join: { joinEui: string | null; devAddr: string | null } | null
  /** Percent, as the sensor has told its network. */
  battery: number | null
}

export type ParsedNetworkEvent = { ok: true; event: NetworkEvent } | { ok: false; detail: string }

/** Reads the payload of a `join` or `status` topic of this server. Never throws. */
export function parseNetworkEvent(
  server: LoraServer,
  kind: 'join' | 'status',
  payload: Uint8Array,
): ParsedNetworkEvent {
  const json = parseJson(payload)
  if (!json.ok) return { ok: false, detail: json.problem }
  if (!isRecord(json.value)) {
    return { ok: false, detail: `expected a ${kind} event, got ${quote(json.value)}` }
  }
  const event = server === 'chirpstack' ? readChirpStack(kind, json.value) : readThingsStack(json.value)
  return { ok: true, event }
}

/** api/proto/integration/integration.proto, `JoinEvent` and `StatusEvent`. */
function readChirpStack(kind: 'join' | 'status', event: JsonRecord): NetworkEvent {
  const devAddr = devAddrOf(event['devAddr'])
  return {
    devEui: devEuiOf(recordOf(event['deviceInfo'])['devEui']),
    atMs: timeOf(event['time']),
    join: kind === 'join' ? { joinEui: null, devAddr } : null,
    battery: kind === 'status' ? batteryOf(event) : null,
  }
}

/** A sensor on mains has no battery, and one that cannot measure says so; 0 % is left out of the JSON. */
function batteryOf({
  externalPowerSource,
  batteryLevelUnavailable,
  batteryLevel = 0,
}: JsonRecord): number | null {
  if (externalPowerSource === true || batteryLevelUnavailable === true) return null
  return typeof batteryLevel === 'number' && batteryLevel >= 0 && batteryLevel <= 100
    ? Math.round(batteryLevel)
    : null
}

/** https://www.thethingsindustries.com/docs/integrations/data-formats/, "Join accept". */
function readThingsStack(message: JsonRecord): NetworkEvent {
  const ids = recordOf(message['end_device_ids'])
  return {
    devEui: devEuiOf(ids['dev_eui']),
    atMs: timeOf(message['received_at']),
    join: { joinEui: devEuiOf(ids['join_eui']), devAddr: devAddrOf(ids['dev_addr']) },
    battery: null,
  }
}
