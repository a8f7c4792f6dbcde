import { z } from 'zod'
import { type DoorState, deviceDoorEvent, hubDoorEvent } from '../payloads.ts'
import type { DecodeContext, ItemOrigin } from './item.ts'
import { type DecodedItems, decodeItems } from './items.ts'

/** One accepted door event. */
export interface DoorItem extends ItemOrigin {
  state: DoorState
}

type DoorPayload = z.output<typeof deviceDoorEvent>

const rules = {
  listKey: 'events' as const,
  itemFields: Object.keys(deviceDoorEvent.shape),
  fromHub: z.compile(hubDoorEvent),
  fromDevice: z.compile(deviceDoorEvent),
  contentProblem: () => null,
  build: ({ item, device, atMs }: ItemOrigin, { state }: DoorPayload): DoorItem => ({
    item,
    device,
    atMs,
    state,
  }),
}

/** Decodes a doors message, from a hub or (with `impliedDevEui`) from a device. Never throws. */
export function decodeDoors(payload: Uint8Array, context: DecodeContext): DecodedItems<DoorItem> {
  return decodeItems<DoorPayload, DoorItem>(payload, context, rules)
}
