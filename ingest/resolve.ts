import type { Principal } from '../broker/types.ts'
import type { Source } from '../db/copy/readings.ts'
import type { Assignment, DeviceRecord } from '../db/registry.ts'
import type { ItemDescription } from './decode/items.ts'
import type { HeldMessage, PendingReject } from './message.ts'
import { assignmentAt } from './registry.ts'

/** An item as it was decoded: a device by its DevEUI, and the time it gave, if any. */
export interface DecodedItem {
  item: number
  device: string
  atMs: number | null
}

/** What the rows of an item share. */
export interface Placement {
  device: DeviceRecord
  assignment: Assignment | undefined
  atMs: number
  source: Source
}

export interface ResolveContext {
  /** Where an item stands in its message and what it said, for the details of a reject. */
  describe: (item: number) => ItemDescription
  principal: Principal
  /** The site of the hub that publishes; null for everybody else. */
  hubSiteId: number | null
  receivedAtMs: number
  find: (devEui: string) => DeviceRecord | undefined
  /** A time of arrival that no other reading of the device has got. */
  arrivalTime: (device: DeviceRecord, receivedAtMs: number) => number
}

/** Finds the device, its unit at the item's own time and the right to speak for it, or says why not. */
export function resolveItem(decoded: DecodedItem, context: ResolveContext): Placement | PendingReject {
  const { principal } = context
  const device = context.find(decoded.device)
  // A device of another organization is answered as if there were none: who asks learns nothing about it.
  if (!device || device.organizationId !== principal.organizationId) {
    const expected = 'expected a device of this organization (fleet:apply adds one)'
    return rejectItem(decoded, 'unknown_device', { expected, context })
  }
  const atMs = decoded.atMs ?? context.arrivalTime(device, context.receivedAtMs)
  const assignment = assignmentAt(device, atMs)
  if (!maySpeakFor(context, device, assignment)) {
    const expected = `expected a device of ${nameOf(principal)}`
    return rejectItem(decoded, 'not_your_device', { expected, context })
  }
  return { device, assignment, atMs, source: decoded.atMs === null ? 'arrival' : sourceOf(principal) }
}

function isReject(result: Placement | PendingReject): result is PendingReject {
  return 'reason' in result
}

/**
 * A hub speaks for the devices of its site, now or at the time of the reading (a backfill after a move lands where
 * it was measured); a device for itself; a network server for its whole organization.
 */
function maySpeakFor(
  context: ResolveContext,
  device: DeviceRecord,
  assignment: Assignment | undefined,
): boolean {
  switch (context.principal.kind) {
    case 'hub':
      return (
        context.hubSiteId !== null &&
        (assignment?.siteId === context.hubSiteId || device.assignments.at(-1)?.siteId === context.hubSiteId)
      )
    case 'device':
      return device.id === context.principal.id
    case 'network_server':
      return true
    case 'operator':
      return false
  }
}

function rejectItem(
  { item, device }: DecodedItem,
  reason: 'unknown_device' | 'not_your_device',
  { expected, context }: { expected: string; context: ResolveContext },
): PendingReject {
  const sent = context.describe(item)
  const detail = `${sent.devicePath}: ${expected}, got "${sent.device ?? device}"`
  return { reason, detail, device: sent.device ?? device, item, sqlstate: null, at: sent.at }
}

function sourceOf(principal: Principal): Source {
  if (principal.kind === 'network_server') return 'network'
  return principal.kind === 'device' ? 'device' : 'hub'
}

function nameOf(principal: Principal): string {
  return principal.kind === 'hub' ? `the site of hub "${principal.name}"` : `"${principal.username}"`
}

/** DevEUIs among the items that the registry does not know, each once. */
export function unknownDevices(
  items: readonly DecodedItem[],
  find: (devEui: string) => DeviceRecord | undefined,
): string[] {
  return [...new Set(items.filter((item) => !find(item.device)).map((item) => item.device))]
}

/** Turns placed items into rows, and the others into rejects of the message. */
export function placeItems<T extends DecodedItem>(
  message: HeldMessage,
  items: readonly T[],
  context: ResolveContext,
  add: (item: T, placement: Placement) => void,
): void {
  for (const item of items) {
    const result = resolveItem(item, context)
    if (isReject(result)) message.rejects.push(result)
    else add(item, result)
  }
}
