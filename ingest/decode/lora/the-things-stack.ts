import { isPlausibleTime } from '../../time.ts'
import { fieldProblem } from '../fields.ts'
import { isRecord, type JsonRecord } from '../value.ts'
import { bestGateway } from './best-gateway.ts'
import {
  bytesOf,
  countOf,
  devAddrOf,
  devEuiOf,
  listOf,
  makeTextOf,
  recordOf,
  textOf,
  timeOf,
} from './fields.ts'
import type { ParsedUplink } from './types.ts'

/** Reads an `up` message of The Things Stack v3 (https://www.thethingsindustries.com/docs/integrations/data-formats/). */
export function readThingsStack(message: JsonRecord): ParsedUplink {
  const ids = message['end_device_ids']
  const uplink = message['uplink_message']
  if (!isRecord(ids)) return problem('malformed', 'end_device_ids', 'expected an object', ids)
  if (!isRecord(uplink)) return problem('malformed', 'uplink_message', 'expected an object', uplink)
  const devEui = devEuiOf(ids['dev_eui'])
  if (devEui === null)
    return problem('invalid', 'end_device_ids.dev_eui', 'expected a DevEUI', ids['dev_eui'])
  const bytes = bytesOf(uplink['frm_payload'])
  if (bytes === null) {
    return problem('invalid', 'uplink_message.frm_payload', 'expected base64', uplink['frm_payload'])
  }
  const gateways = listOf(uplink['rx_metadata'])
  const version = recordOf(uplink['version_ids'])
  return {
    ok: true,
    uplink: {
      server: 'things_stack',
      devEui,
      deviceId: textOf(ids['device_id']) || null,
      makeText: makeTextOf([
        version['brand_id'],
        version['model_id'],
        ids['device_id'],
        ...Object.values(recordOf(uplink['attributes'])),
      ]),
      fPort: countOf(uplink['f_port']),
      fCnt: countOf(uplink['f_cnt']),
      devAddr: devAddrOf(ids['dev_addr']),
      bytes,
      decoded: isRecord(uplink['decoded_payload']) ? uplink['decoded_payload'] : null,
      normalized: listOf(uplink['normalized_payload']),
      networkAtMs: networkTime(message, uplink, gateways),
      reception: bestGateway(gateways),
      isSimulated: message['simulated'] === true,
    },
  }
}

/**
 * GPS time of a gateway, else when the network server received it, else when the application server did. GPS time that
 * cannot be is passed over: receivers without a fix begin in 1980, old ones are 1,024 weeks off. The clock of a gateway
 * (`time`) is not used: nobody has compared it with anything.
 */
function networkTime(
  message: JsonRecord,
  uplink: JsonRecord,
  gateways: readonly JsonRecord[],
): number | null {
  const receivedMs = timeOf(uplink['received_at']) ?? timeOf(message['received_at'])
  const gpsMs = gateways
    .map((gateway) => timeOf(gateway['gps_time']))
    .find((atMs) => atMs !== null && isPlausibleTime(atMs, receivedMs ?? atMs))
  return gpsMs ?? receivedMs
}

function problem(
  reason: 'malformed' | 'invalid',
  path: string,
  expected: string,
  value: unknown,
): ParsedUplink {
  return { ok: false, reason, detail: fieldProblem(path, expected, value) }
}
