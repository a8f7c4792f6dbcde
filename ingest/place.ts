import { chooseTemperature } from './decode/lora/values/choose.ts'
import type { Draft } from './draft.ts'
import { placeItems, type ResolveContext } from './resolve.ts'

/** Turns the items of a decoded message into rows of it, each where its device stood then, and the others into rejects. */
export function placeDraft({ message, readings, doors }: Draft, context: ResolveContext): void {
  message.readings = placeItems(
    message,
    readings,
    context,
    (reading, { device, assignment, atMs, source }) => {
      const { humidity, battery, rssi, snr, item, probes } = reading
      const { temperature, fault } = probes ? chooseTemperature(probes, device.temperatureSource) : reading
      // Field by field: a spread costs more than all the rest, and there are many of these.
      return {
        deviceId: device.id,
        unitId: assignment?.unitId ?? null,
        organizationId: device.organizationId,
        receivedAtMs: message.arrival.receivedAt,
        message,
        recordedAtMs: atMs,
        source,
        temperature,
        humidity,
        battery,
        rssi,
        snr,
        fault,
        item,
        mayBeStored: false,
      }
    },
  )
  const decided = message.rejects.length
  message.doors = placeItems(message, doors, context, (event, { device, assignment, atMs, source }) => {
    return {
      deviceId: device.id,
      unitId: assignment?.unitId ?? null,
      organizationId: device.organizationId,
      receivedAtMs: message.arrival.receivedAt,
      message,
      occurredAtMs: atMs,
      source,
      state: event.state,
      item: event.item,
    }
  })
  if (message.subject !== 'doors') {
    for (const reject of message.rejects.slice(decided)) reject.subject = 'doors'
  }
}
