import type { Pool } from 'pg'
import { type DeviceRecord, findDevices } from '../../db/registry.ts'
import type { RejectedEntry } from '../../db/replay/pages.ts'
import { storedTimes } from '../../db/replay/stored-times.ts'
import type { Draft } from '../draft.ts'
import type { HeldMessage, PendingReject } from '../message.ts'
import { placeDraft } from '../place.ts'
import type { DecodedItem } from '../resolve.ts'
import { ArrivalTimes } from './arrival-times.ts'
import type { OpenedMessage } from './open-messages.ts'

/** A rejected item that can be stored: a message with its row alone. */
export interface StorableItem {
  entry: RejectedEntry
  message: HeldMessage
}

/** A rejected item that stays so; null: for the reason that it has. */
export interface RefusedItem {
  entry: RejectedEntry
  reject: PendingReject | null
}

export interface PlacedItems {
  storable: StorableItem[]
  refused: RefusedItem[]
}

/**
 * Finds devices and places anew for the wanted items of messages. Items without a time get their time of arrival, or
 * the first one after it that is free; what is stored within `arrivalSpanMs` after it is known for that.
 */
export async function placeWanted(
  pool: Pool,
  messages: readonly OpenedMessage[],
  arrivalSpanMs: number,
): Promise<PlacedItems> {
  const wanted = messages.map(withWantedItems)
  const devices = await devicesOf(pool, wanted)
  const times = await arrivalTimes(pool, { wanted, devices, spanMs: arrivalSpanMs })
  const placed: PlacedItems = { storable: [], refused: [] }
  for (const opened of wanted) {
    const { draft } = opened
    placeDraft(draft, {
      describe: draft.describe,
      principal: draft.message.arrival.principal,
      hubSiteId: opened.hubSiteId,
      receivedAtMs: draft.message.arrival.receivedAt,
      find: (devEui) => devices.get(devEui),
      arrivalTime: (device, receivedAtMs) => times.take(device.id, receivedAtMs),
    })
    sortOut(opened, placed)
  }
  return placed
}

/** The draft with a message of its own, so that it can be placed again. */
function withWantedItems({ draft, ...opened }: OpenedMessage): OpenedMessage {
  const items = new Set(opened.entries.map(({ item }) => item))
  // Its counter counted for the hub's receipts when it came.
  const message = {
    ...draft.message,
    readings: [],
    doors: [],
    rejects: [...draft.message.rejects],
    receipt: null,
  }
  const isWanted = ({ item }: DecodedItem) => items.has(item)
  return {
    ...opened,
    draft: {
      ...draft,
      message,
      readings: draft.readings.filter(isWanted),
      doors: draft.doors.filter(isWanted),
    },
  }
}

async function devicesOf(pool: Pool, messages: readonly OpenedMessage[]): Promise<Map<string, DeviceRecord>> {
  const devEuis = new Set(messages.flatMap(({ draft }) => itemsOf(draft).map(({ device }) => device)))
  if (devEuis.size === 0) return new Map()
  const found = await findDevices(pool, [...devEuis])
  return new Map(found.map((device) => [device.devEui, device]))
}

/** Knows the times that are taken: of what is stored, and of the items that bring their own. */
async function arrivalTimes(
  pool: Pool,
  options: { wanted: readonly OpenedMessage[]; devices: ReadonlyMap<string, DeviceRecord>; spanMs: number },
): Promise<ArrivalTimes> {
  const times = new ArrivalTimes()
  const arrivals = new Map<string, { deviceId: number; fromMs: number; toMs: number }>()
  for (const { draft } of options.wanted) {
    const fromMs = draft.message.arrival.receivedAt
    for (const { device, atMs } of itemsOf(draft)) {
      const deviceId = options.devices.get(device)?.id
      if (deviceId === undefined) continue
      if (atMs === null) {
        arrivals.set(`${deviceId}/${fromMs}`, { deviceId, fromMs, toMs: fromMs + options.spanMs })
      } else times.occupy(deviceId, atMs)
    }
  }
  for (const { deviceId, atMs } of await storedTimes(pool, [...arrivals.values()])) {
    times.occupy(deviceId, atMs)
  }
  return times
}

function itemsOf({ readings, doors }: Draft): readonly DecodedItem[] {
  return [...readings, ...doors]
}

function sortOut({ draft: { message }, entries }: OpenedMessage, placed: PlacedItems): void {
  const rejects = new Map(message.rejects.map((reject) => [reject.item, reject]))
  const readings = new Map(message.readings.map((row) => [row.item, row]))
  const doors = new Map(message.doors.map((row) => [row.item, row]))
  for (const entry of entries) {
    const item = entry.item ?? -1
    const reading = readings.get(item)
    const door = doors.get(item)
    const only = { ...message, readings: reading ? [reading] : [], doors: door ? [door] : [], rejects: [] }
    if (reading ?? door) placed.storable.push({ entry, message: only })
    else placed.refused.push({ entry, reject: rejects.get(entry.item) ?? rejects.get(null) ?? null })
  }
}
