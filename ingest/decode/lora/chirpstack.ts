import { fieldProblem } from '../fields.ts'
import { isAbsent, isRecord, type JsonRecord } from '../value.ts'
import { bestGateway } from './best-gateway.ts'
import { bytesOf, countOf, devAddrOf, devEuiOf, listOf, makeTextOf, recordOf, timeOf } from './fields.ts'
import type { ParsedUplink } from './types.ts'

/**
 * Reads an `up` event of ChirpStack v4 (api/proto/integration/integration.proto, `UplinkEvent`). `time` is the server's
 * best guess: GPS time of a gateway, a gateway's clock within 30 s of its own, else its own.
 */
export function readChirpStack(event: JsonRecord): ParsedUplink {
  if (!isRecord(event['deviceInfo'])) {
    return {
      ok: false,
      reason: 'malformed',
      detail: fieldProblem('deviceInfo', 'expected an object', event['deviceInfo']),
    }
  }
  const device = event['deviceInfo']
  const devEui = devEuiOf(device['devEui'])
  if (devEui === null && !isAbsent(device['devEui'])) {
    return {
      ok: false,
      reason: 'invalid',
      detail: fieldProblem('deviceInfo.devEui', 'expected a DevEUI', device['devEui']),
    }
  }
  const bytes = bytesOf(event['data'])
  if (bytes === null) {
    return { ok: false, reason: 'invalid', detail: fieldProblem('data', 'expected base64', event['data']) }
  }
  return {
    ok: true,
    uplink: {
      server: 'chirpstack',
      devEui,
      deviceId: null,
      makeText: makeTextOf([
        device['deviceProfileName'],
        device['deviceName'],
        ...Object.values(recordOf(device['tags'])),
      ]),
      fPort: countOf(event['fPort']),
      fCnt: countOf(event['fCnt']),
      devAddr: devAddrOf(event['devAddr']),
      bytes,
      decoded: isRecord(event['object']) ? event['object'] : null,
      normalized: [],
      networkAtMs: timeOf(event['time']),
      reception: bestGateway(listOf(event['rxInfo'])),
      isSimulated: false,
    },
  }
}
