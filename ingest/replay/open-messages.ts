import type { Arrival, Principal } from '../../broker/types.ts'
import { normalizeDevEui } from '../../db/device-eui.ts'
import type { LogInRecord } from '../../db/registry.ts'
import type { RejectedEntry, RejectedPage, RejectedPayload } from '../../db/replay/pages.ts'
import { type Draft, draftMessage } from '../draft.ts'
import { principalOf } from '../registry.ts'
import { storedRoute } from './stored-route.ts'
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
  /** Items of this device only: 16 lower-case hex digits. */
  device?: string | undefined
}

/** Decodes the messages of a page as ingest does when they arrive. */
export function openMessages(page: RejectedPage, options: OpenOptions): OpenedPage {
  const result: OpenedPage = { opened: [], hindered: [] }
  for (const [payloadId, entries] of Map.groupBy(page.entries, (entry) => entry.payloadId)) {
    const payload = page.payloads.get(payloadId)
    // Removed since the page was read: so are its items.
    if (!payload) continue
    const logIn = options.logIns.get(payload.client)
    const hindrance = hindranceOf(payload, logIn)
    if (hindrance !== undefined || logIn === undefined) {
      const named = entries.filter((entry) => isOfDevice(entry.device, options.device))
      result.hindered.push(...named.map((entry) => ({ entry, hindrance: hindrance ?? 'no_log_in' })))
      continue
    }
    const draft = draftMessage(restoreArrival(payload, principalOf(logIn)), () => {})
    const wanted = entries.filter((entry) => isOfDevice(deviceOf(entry, draft), options.device))
    if (wanted.length > 0) result.opened.push({ draft, hubSiteId: logIn.siteId, entries: wanted })
  }
  return result
}

/** A name may stand for somebody else by now, in another organization: that one has not sent the message. */
function hindranceOf(payload: RejectedPayload, logIn: LogInRecord | undefined): Hindrance | undefined {
  if (payload.truncated) return 'cut_short'
  if (logIn === undefined || logIn.organizationId !== payload.organizationId) return 'no_log_in'
  // What a hub once said of itself must not take the place of what it has said since.
  const route = storedRoute(payload.topic)
  return route.kind === 'hub' && route.channel === 'status' ? 'status' : undefined
}

function deviceOf({ device, item }: RejectedEntry, draft: Draft): string | null {
  return device ?? (item === null ? null : (draft.describe(item).device ?? null))
}

function isOfDevice(name: string | null, device: string | undefined): boolean {
  return device === undefined || (name !== null && normalizeDevEui(name) === device)
}

function restoreArrival(stored: RejectedPayload, principal: Principal): Arrival {
  return {
    topic: stored.topic,
    route: storedRoute(stored.topic),
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
