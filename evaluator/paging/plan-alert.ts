import type { Address, Contact, Delivery, DeliveryKind, PagedAlert, PagingLimits, Told } from './types.ts'

/** A reading counts as fresh for two intervals and this long. */
const FRESH_GRACE_MS = 30_000

/** Why an alert that is open has not paged. */
type Waits = 'stale' | 'held' | 'quiet'

/** What is to be done about one alert now. */
export interface AlertPlan {
  deliveries: Delivery[]
  /** The level that is reached by it; unchanged where nothing pages. */
  escalationLevel: number
  escalates: boolean
  waits: Waits | null
}

/**
 * Whom to tell what about an alert, from what is true of it and what people were told before: so it does no harm to ask
 * twice.
 */
export function planAlert(alert: PagedAlert, nowMs: number, limits: PagingLimits): AlertPlan {
  return alert.status === 'resolved' ? planEnded(alert, nowMs) : planOpen(alert, nowMs, limits)
}

/** Who ended it by hand knows, and a changed rule is no recovery. */
function planEnded(alert: PagedAlert, nowMs: number): AlertPlan {
  if (alert.resolution === 'recovered')
    return { ...nothing(alert), deliveries: notices(alert, nowMs, 'recovery') }
  if (alert.resolution === 'withdrawn')
    return { ...nothing(alert), deliveries: notices(alert, nowMs, 'correction') }
  return nothing(alert)
}

function planOpen(alert: PagedAlert, nowMs: number, limits: PagingLimits): AlertPlan {
  const reopened = notices(alert, nowMs, 'reopened')
  if (reopened.length > 0) return { ...nothing(alert), deliveries: reopened }
  if (alert.status === 'acknowledged') return nothing(alert)
  if (alert.isHeld) return { ...nothing(alert), waits: 'held' }
  const fresh = isFresh(alert, nowMs)
  if (alert.pagedAtMs === null && !fresh && nowMs - alert.evidenceAtMs < limits.lastKnownAfterMs) {
    return { ...nothing(alert), waits: 'stale' }
  }
  const level = levelAt(alert, nowMs, limits)
  const deliveries = pages(alert, nowMs, { level, kind: fresh ? 'page' : 'last_known' })
  const waits = alert.pagedAtMs === null && deliveries.length === 0 ? 'quiet' : null
  const escalationLevel = waits ? alert.escalationLevel : level
  const escalates = alert.pagedAtMs !== null && level > alert.escalationLevel
  return { ...nothing(alert), deliveries, escalationLevel, escalates, waits }
}

function nothing({ escalationLevel }: PagedAlert): AlertPlan {
  return { deliveries: [], escalationLevel, escalates: false, waits: null }
}

/** Whether the newest reading of one of its devices is fresh and not good. */
function isFresh({ evidence }: PagedAlert, nowMs: number): boolean {
  if (evidence === 'clock') return true
  return evidence.some((one) => isFreshAndOut(one, nowMs))
}

/** Whether the newest reading of a device is one that an alert pages by. */
export function isFreshAndOut(
  { newestMs, isGood, intervalMs }: Exclude<PagedAlert['evidence'], 'clock'>[number],
  nowMs: number,
): boolean {
  return newestMs !== null && !isGood && nowMs - newestMs <= 2 * intervalMs + FRESH_GRACE_MS
}

/** The lowest level at first; the next one when the last has had its time. */
function levelAt(alert: PagedAlert, nowMs: number, { escalationMs }: PagingLimits): number {
  const { pagedAtMs, escalatedAtMs, escalationLevel, contacts, told } = alert
  const levels = contacts.map(({ level }) => level)
  if (pagedAtMs === null) return levels.length > 0 ? Math.min(...levels) : 1
  const reopened = told.filter(({ kind }) => kind === 'reopened').map(({ scheduledAtMs }) => scheduledAtMs)
  const sinceMs = Math.max(pagedAtMs, escalatedAtMs ?? pagedAtMs, ...reopened)
  const above = levels.filter((level) => level > escalationLevel)
  return above.length > 0 && nowMs - sinceMs >= escalationMs ? Math.min(...above) : escalationLevel
}

/** To everybody up to this level who has heard nothing of it; where that reaches nobody, to the operators. */
function pages(
  alert: PagedAlert,
  nowMs: number,
  { level, kind }: { level: number; kind: DeliveryKind },
): Delivery[] {
  const toldIds = new Set(alert.told.map(({ contactId }) => contactId))
  const untold = alert.contacts.filter((contact) => contact.level <= level && !toldIds.has(contact.contactId))
  const awake = untold.filter((contact) => !isQuiet(alert, contact))
  const page = (to: Addressed): Delivery => ({
    ...ofAlert(alert),
    ...to,
    kind,
    escalationLevel: level,
    scheduledAtMs: nowMs,
  })
  const deliveries = awake.flatMap(addressesOf).map(page)
  const isReached = [...alert.told, ...deliveries].some(({ isUnreachable }) => !isUnreachable)
  if (isReached) return deliveries
  // Who is quiet is paged when that ends.
  return awake.length < untold.length ? [] : [...deliveries, page(operatorsOf(alert))]
}

type Addressed = Address & { isUnreachable: boolean }

function addressesOf({ contactId, profileId, addresses }: Contact): Addressed[] {
  return addresses.map(({ channel, recipient }) => ({
    contactId,
    profileId,
    channel,
    recipient: recipient ?? '',
    isUnreachable: recipient === null,
  }))
}

function operatorsOf({ operators }: PagedAlert): Addressed {
  return { contactId: null, profileId: null, channel: 'push', recipient: operators, isUnreachable: false }
}

function ofAlert({ alertId, organizationId }: PagedAlert): Pick<Delivery, 'alertId' | 'organizationId'> {
  return { alertId, organizationId }
}

type Belief = 'runs' | 'over' | 'withdrawn'

/** What a message leaves its reader to believe. */
const BELIEFS: Record<DeliveryKind, Belief> = {
  page: 'runs',
  last_known: 'runs',
  reopened: 'runs',
  recovery: 'over',
  correction: 'withdrawn',
}

/** Whose belief a notice corrects. */
const CORRECTED: Record<'reopened' | 'recovery' | 'correction', readonly Belief[]> = {
  reopened: ['over', 'withdrawn'],
  recovery: ['runs'],
  correction: ['runs', 'over'],
}

/** To whoever was paged, at the address that was used, unless what was told there last is still true. */
function notices(alert: PagedAlert, nowMs: number, kind: keyof typeof CORRECTED): Delivery[] {
  const last = new Map<string, Told>()
  for (const told of alert.told) {
    if (!told.isUnreachable) last.set(`${told.contactId} ${told.channel} ${told.recipient}`, told)
  }
  return [...last.values()]
    .filter((told) => CORRECTED[kind].includes(BELIEFS[told.kind]))
    .map((told) => ({
      ...told,
      ...ofAlert(alert),
      kind,
      scheduledAtMs: awakeAt(alert, told.contactId, nowMs),
    }))
}

/** Now, or when the quiet hours of the contact end. */
function awakeAt(alert: PagedAlert, contactId: number | null, nowMs: number): number {
  const contact = alert.contacts.find((candidate) => candidate.contactId === contactId)
  const untilMs = contact && isQuiet(alert, contact) ? contact.quietUntilMs : null
  return untilMs === null || untilMs === Number.POSITIVE_INFINITY ? nowMs : untilMs
}

function isQuiet({ severity }: PagedAlert, { quietUntilMs }: Contact): boolean {
  return severity !== 'critical' && quietUntilMs !== null
}
