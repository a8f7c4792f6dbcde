import { scheduleSchema } from '../../db/fleet/schedule.ts'
import type { DeliveryRow } from '../../db/paging/deliveries.ts'
import type { ContactRow, PagedAlertRow } from '../../db/paging/read-alerts.ts'
import type { Channel, Contact, DeliveryKind, PagedAlert, Told } from './types.ts'
import { endOfWindows, isWithin, type WeeklyWindow } from './weekly-windows.ts'

/** Silence, and what nobody has done, is proven by the clock alone. */
const PROVEN_BY_CLOCK: ReadonlySet<string> = new Set(['no_data', 'manual_log_overdue', 'calibration_due'])
/** A door that is not closed is raised this long after it is due: up to then at least it was seen to be open. */
const DOOR_RAISED_AFTER_MS = 30_000
const DOOR_INTERVAL_MS = 300_000

const KINDS: ReadonlySet<string> = new Set<DeliveryKind>([
  'page',
  'last_known',
  'reopened',
  'recovery',
  'correction',
])

/** A contact as paging sees it, who is for all sites or for one. */
export type SiteContact = Contact & Pick<ContactRow, 'siteId'>

/** An alert as paging sees it, from the rows about it: the contacts of its organization, what was told of it. */
export function pagedAlert(
  row: PagedAlertRow,
  on: { nowMs: number; contacts: readonly SiteContact[]; told: readonly DeliveryRow[] },
): PagedAlert {
  const { timezone, slug, schedule, isInMaintenance, ...alert } = row
  const windows = windowsOf(schedule)
  return {
    ...alert,
    evidence: evidenceOf(row),
    told: on.told.filter(isOfOurs),
    isHeld: isInMaintenance || (windows.length > 0 && !isWithin(windows, on.nowMs, timezone)),
    contacts: on.contacts.filter(({ siteId }) => siteId === null || siteId === alert.siteId),
    operators: `operator:${slug}`,
  }
}

function evidenceOf({ conditionType, triggeredAtMs, evidence }: PagedAlertRow): PagedAlert['evidence'] {
  if (PROVEN_BY_CLOCK.has(conditionType)) return 'clock'
  if (conditionType !== 'door_open') return evidence
  // Whatever is heard of the unit says that the door has not been closed.
  const newestMs = triggeredAtMs + DOOR_RAISED_AFTER_MS
  return [...evidence, { newestMs, isGood: false, intervalMs: DOOR_INTERVAL_MS }]
}

/** Messages of other kinds, which somebody else may write about an alert, are none of paging's. */
function isOfOurs(row: DeliveryRow): row is DeliveryRow & Told {
  return KINDS.has(row.kind)
}

/** By the clock of a site in this time zone. */
export function contactOf(
  row: ContactRow,
  { nowMs, timezone }: { nowMs: number; timezone: string },
): SiteContact {
  const { contactId, profileId, siteId, level, channels, quietHours } = row
  const windows = windowsOf(quietHours)
  return {
    contactId,
    profileId,
    siteId,
    level,
    addresses: channels.map((channel) => ({ channel, recipient: addressOf(row, channel) })),
    quietUntilMs: isWithin(windows, nowMs, timezone)
      ? (endOfWindows(windows, nowMs, timezone) ?? Number.POSITIVE_INFINITY)
      : null,
  }
}

function addressOf({ publicId, email, phone }: ContactRow, channel: Channel): string | null {
  if (channel === 'email') return email
  return channel === 'sms' ? phone : publicId
}

/** None where it cannot be read: what holds no page is the safer mistake. */
function windowsOf(value: unknown): readonly WeeklyWindow[] {
  return scheduleSchema.safeParse(value).data?.windows ?? []
}
