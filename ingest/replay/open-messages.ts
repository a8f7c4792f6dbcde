import type { Arrival, Principal, Route } from '../../broker/types.ts'
import { normalizeDevEui } from '../../db/device-eui.ts'
import { type LogInRecord, NO_ORGANIZATION } from '../../db/registry.ts'
import type { RejectedEntry, RejectedPage, RejectedPayload } from '../../db/replay/pages.ts'
import type { TimeOfFrame } from '../decode/lora/uplink-items.ts'
import { type Draft, draftMessage } from '../draft.ts'
import { principalOf } from '../registry.ts'
import type { Hindrance } from './tally.ts'

/** A message decoded again, with those of its items that are to be put back. */
export interface OpenedMessage {
  draft: Draft
  /** Its publisher's site, where that is a hub. */
  hubSiteId: number | null
  entries: RejectedEntry[]
}

export interface OpenedPage {
  opened: OpenedMessage[]
  hindered: { entry: RejectedEntry; hindrance: Hindrance }[]
}

export interface OpenOptions {
  /** Who may log in now, by username. */
  logIns: ReadonlyMap<string, LogInRecord>
  /** What a publish of this client to this topic means. */
  routeOf: (principal: Principal, topic: string) => Route | undefined
  /** The network's time of a frame: that of its first copy, where it has come before. */
  timeOfFrame?: TimeOfFrame
  /** Items of this device only: 16 lower-case hex digits. */
  device?: string | undefined
  /** Messages of this client only, by its username. */
  client?: string | undefined
  /** Messages of this organization only. */
  organizationId?: number | undefined
}

/** Decodes the messages of a page as ingest does when they arrive. */
export function openMessages(page: RejectedPage, options: OpenOptions): OpenedPage {
  const result: OpenedPage = { opened: [], hindered: [] }
  for (const [payloadId, entries] of Map.groupBy(page.entries, (entry) => entry.payloadId)) {
    const payload = page.payloads.get(payloadId)
    // Removed since the page was read: so are its items.
    if (!payload || !isOfOrganization(payload, options)) continue
    const restored = restore(payload, options)
    if ('hindrance' in restored) {
      const { hindrance } = restored
      const named = entries.filter((entry) => isOfDevice(entry.device, options.device))
      result.hindered.push(...named.map((entry) => ({ entry, hindrance })))
      continue
    }
    const draft = draftMessage(restored.arrival, () => {}, options.timeOfFrame)
    const wanted = entries.filter((entry) => isOfDevice(deviceOf(entry, draft), options.device))
    if (wanted.length > 0) result.opened.push({ draft, hubSiteId: restored.hubSiteId, entries: wanted })
  }
  return result
}

type Restored = { arrival: Arrival; hubSiteId: number | null } | { hindrance: Hindrance }

function restore(payload: RejectedPayload, { logIns, routeOf, client }: OpenOptions): Restored {
  if (payload.truncated) return { hindrance: 'cut_short' }
  // Another broker let it in under a name that may have been somebody else's then: only a person knows.
  if (payload.organizationId === NO_ORGANIZATION && client === undefined) return { hindrance: 'unnamed' }
  const logIn = logIns.get(payload.client)
  // A name may stand for somebody else by now, in another organization: that one has not sent the message.
  if (logIn === undefined || logIn.organizationId !== organizationOf(payload, logIns))
    return { hindrance: 'no_log_in' }
  const principal = principalOf(logIn)
  const route = routeOf(principal, payload.topic)
  if (!route) return { hindrance: 'no_log_in' }
  // What a hub once said of itself must not take the place of what it has said since.
  if (route.kind === 'hub' && route.channel === 'status') return { hindrance: 'status' }
  return { arrival: restoreArrival(payload, principal, route), hubSiteId: logIn.siteId }
}

/** Who had no log-in when the message came may have one by now. */
function organizationOf(
  { organizationId, client }: RejectedPayload,
  logIns: OpenOptions['logIns'],
): number | null {
  if (organizationId !== NO_ORGANIZATION) return organizationId
  return logIns.get(client)?.organizationId ?? NO_ORGANIZATION
}

function isOfOrganization(payload: RejectedPayload, { organizationId, logIns }: OpenOptions): boolean {
  return organizationId === undefined || organizationOf(payload, logIns) === organizationId
}

function deviceOf({ device, item }: RejectedEntry, draft: Draft): string | null {
  return device ?? (item === null ? null : (draft.describe(item).device ?? null))
}

function isOfDevice(name: string | null, device: string | undefined): boolean {
  return device === undefined || (name !== null && normalizeDevEui(name) === device)
}

function restoreArrival(stored: RejectedPayload, principal: Principal, route: Route): Arrival {
  return {
    topic: stored.topic,
    route,
    payload: stored.payload,
    qos: 1,
    dup: false,
    principal,
    clientId: '',
    isWill: false,
    receivedAt: stored.receivedAtMs,
    arrivedAtMs: performance.now(),
  }
}
