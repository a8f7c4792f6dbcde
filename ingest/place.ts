import type { DoorItem } from './decode/doors.ts'
import { chooseTemperature } from './decode/lora/values/choose.ts'
import type { ReadingItem } from './decode/readings.ts'
import type { Draft } from './draft.ts'
import type { HeldMessage, PendingDoor, PendingReading } from './message.ts'
import { type Placement, placeItems, type ResolveContext } from './resolve.ts'

/** Turns the items of a decoded message into rows of it, each where its device stood then, and the others into rejects. */
export function placeDraft({ message, readings, doors }: Draft, context: ResolveContext): void {
  message.readings = placeItems(message, readings, context, readingRow)
  const decided = message.rejects.length
  message.doors = placeItems(message, doors, context, doorRow)
  if (message.subject === 'doors') return
  for (let index = decided; index < message.rejects.length; index += 1) {
    const reject = message.rejects[index]
    if (reject) reject.subject = 'doors'
  }
}

function readingRow(reading: ReadingItem, placement: Placement, message: HeldMessage): PendingReading {
  const { device, assignment, atMs, source } = placement
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
}

function doorRow(event: DoorItem, placement: Placement, message: HeldMessage): PendingDoor {
  const { device, assignment, atMs, source } = placement
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
}
