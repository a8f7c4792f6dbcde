import type { Principal } from '../broker/types.ts'
import type { Source } from '../db/copy/readings.ts'
import type { Assignment, DeviceRecord } from '../db/registry.ts'
import type { ItemDescription } from './decode/items.ts'
import { addRejects, type HeldMessage, type PendingReject } from './message.ts'
import { assignmentAt } from './registry.ts'

/** An item as it was decoded: a device by its DevEUI, and the time it gave, if any. */
export interface DecodedItem {
  item: number
  device: string
  atMs: number | null
  source?: Source
  /** Set by `doubtfulDevices`, for who places it next: in a large fleet each look-up costs as much as all else of an item. */
  found?: DeviceRecord | undefined
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
  const device = decoded.found ?? context.find(decoded.device)
  const atMs = decoded.atMs ?? (device ? context.arrivalTime(device, context.receivedAtMs) : 0)
  const assignment = device && assignmentAt(device, atMs)
  const refusal = refusalOf(context, device, assignment)
  if (!device || refusal) return rejectItem(decoded, refusal ?? 'unknown_device', context)
  const source = decoded.source ?? (decoded.atMs === null ? 'arrival' : sourceOf(context.principal))
  return { device, assignment, atMs, source }
}

type Refusal = 'unknown_device' | 'not_your_device'

/**
 * A device of another organization is answered as if there were none: who asks learns nothing about it. A hub speaks
 * for the devices of its site, now or at the time of the reading (a backfill after a move lands where it was
 * measured); a device for itself; a network server for its whole organization.
 */
function refusalOf(
  { principal, hubSiteId }: ResolveContext,
  device: DeviceRecord | undefined,
  assignment: Assignment | undefined,
): Refusal | null {
  if (!device || device.organizationId !== principal.organizationId) return 'unknown_device'
  switch (principal.kind) {
    case 'hub': {
      const mine =
        hubSiteId !== null &&
        (assignment?.siteId === hubSiteId || device.assignments.at(-1)?.siteId === hubSiteId)
      return mine ? null : 'not_your_device'
    }
    case 'device':
      return device.id === principal.id ? null : 'not_your_device'
    case 'network_server':
      return null
    case 'operator':
      return 'not_your_device'
  }
}

function isReject(result: Placement | PendingReject): result is PendingReject {
  return 'reason' in result
}

function rejectItem({ item, device }: DecodedItem, reason: Refusal, context: ResolveContext): PendingReject {
  const expected = {
    unknown_device: 'expected a device of this organization (fleet:apply adds one)',
    not_your_device: `expected a device of ${nameOf(context.principal)}`,
  }
  const sent = context.describe(item)
  const detail = `${sent.devicePath}: ${expected[reason]}, got "${sent.device ?? device}"`
  return { reason, detail, device: sent.device ?? device, item, sqlstate: null, at: sent.at }
}

function sourceOf(principal: Principal): Source {
  if (principal.kind === 'network_server') return 'network'
  return principal.kind === 'device' ? 'device' : 'hub'
}

function nameOf(principal: Principal): string {
  return principal.kind === 'hub' ? `the site of hub "${principal.name}"` : `"${principal.username}"`
}

const NONE: readonly never[] = []

/**
 * DevEUIs, each once, that would be refused by what is known: they may have been added or moved a moment ago, so the
 * database is asked before they are.
 */
export function doubtfulDevices(items: readonly DecodedItem[], context: ResolveContext): readonly string[] {
  let doubtful: Set<string> | undefined
  for (const item of items) {
    const device = context.find(item.device)
    item.found = device
    const assignment = device && assignmentAt(device, item.atMs ?? context.receivedAtMs)
    if (!refusalOf(context, device, assignment)) continue
    doubtful ??= new Set()
    doubtful.add(item.device)
  }
  if (!doubtful) return NONE
  // What the database answers counts more than what is remembered.
  for (const item of items) item.found = undefined
  return [...doubtful]
}

/** Turns placed items into rows, and the others into rejects of the message. */
export function placeItems<T extends DecodedItem, Row>(
  message: HeldMessage,
  items: readonly T[],
  context: ResolveContext,
  rowOf: (item: T, placement: Placement, message: HeldMessage) => Row,
): readonly Row[] {
  if (items.length === 0) return NONE
  // Of its length at once: one that grows by push keeps room for sixteen more, which a held message would take with it.
  const rows = new Array<Row>(items.length)
  let count = 0
  let rejects: PendingReject[] | undefined
  for (const item of items) {
    const result = resolveItem(item, context)
    if (!isReject(result)) rows[count++] = rowOf(item, result, message)
    else if (rejects) rejects.push(result)
    else rejects = [result]
  }
  rows.length = count
  if (rejects) addRejects(message, rejects)
  return rows
}
