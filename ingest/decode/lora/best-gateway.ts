import type { JsonRecord } from '../value.ts'
import { numberOf } from './fields.ts'
import type { Reception } from './types.ts'

/** How the gateway heard the frame that heard it best: the highest SNR, of equal ones the highest RSSI. */
export function bestGateway(gateways: readonly JsonRecord[]): Reception | null {
  let best: Reception | null = null
  for (const gateway of gateways) {
    const reception = { rssi: numberOf(gateway['rssi']), snr: numberOf(gateway['snr']) }
    if (best === null || isBetter(reception, best)) best = reception
  }
  return best
}

function isBetter(one: Reception, other: Reception): boolean {
  return one.snr === other.snr ? one.rssi > other.rssi : one.snr > other.snr
}
