import type { DeviceRecord } from '../db/registry.ts'
import type { Draft } from './draft.ts'
import type { HeldMessage } from './message.ts'
import { placeItems, type ResolveContext } from './resolve.ts'

/** Turns the items of a decoded message into rows of it, each where its device stood then, and the others into rejects. */
export function placeDraft({ message, readings, doors }: Draft, context: ResolveContext): void {
  placeItems(message, readings, context, (reading, { device, assignment, atMs, source }) => {
    const { temperature, humidity, battery, rssi, snr, fault, item } = reading
    message.readings.push({
      ...rowOf(device, assignment?.unitId ?? null, message),
      recordedAtMs: atMs,
      source,
      temperature,
      humidity,
      battery,
      rssi,
      snr,
      fault,
      item,
    })
  })
  placeItems(message, doors, context, (event, { device, assignment, atMs, source }) => {
    message.doors.push({
      ...rowOf(device, assignment?.unitId ?? null, message),
      occurredAtMs: atMs,
      source,
      state: event.state,
      item: event.item,
    })
  })
}

function rowOf(device: DeviceRecord, unitId: number | null, message: HeldMessage) {
  return {
    deviceId: device.id,
    unitId,
    organizationId: device.organizationId,
    receivedAtMs: message.arrival.receivedAt,
    message,
  }
}
