import type { Severity } from '../core/types.ts'
import type { WeeklyWindow } from './weekly-windows.ts'

/** What the newest reading of a device says about an alert that runs. */
export interface Evidence {
  /** Evaluation time of the device's newest reading; null = none is known. */
  newestMs: number | null
  isGood: boolean
  intervalMs: number
}

/** What people were told last of an alert: that it runs, that it is over, that it never was. */
export type Told = 'nothing' | 'runs' | 'over' | 'withdrawn'

/** An alert as paging sees it. */
export interface PagedAlert {
  alertId: number
  organizationId: number
  siteId: number | null
  severity: Severity
  status: 'active' | 'acknowledged' | 'escalated' | 'resolved'
  resolution: 'recovered' | 'by_person' | 'rule_changed' | 'withdrawn' | null
  /** `clock`: what the clock itself proves, such as silence. Else the devices that are beyond the rule. */
  evidence: 'clock' | readonly Evidence[]
  /** Our clock when its evidence last changed. */
  evidenceAtMs: number
  /** Our clock when it was first paged. */
  pagedAtMs: number | null
  /** Our clock when people were last told that it runs: the page of its highest level, or that it is open again. */
  levelAtMs: number | null
  /** 0 = nobody has been paged. */
  escalationLevel: number
  told: Told
  /** By its rule's schedule or a maintenance window. */
  isHeld: boolean
  timezone: string
  /** Whom it may page, at every level. */
  contacts: readonly Contact[]
  /** The operators of its organization, who are paged where nobody else can be. */
  operators: string
}

export interface Contact {
  contactId: number
  profileId: number | null
  level: number
  /** Ways to reach the contact; `recipient` null = the contact has no address for this channel. */
  addresses: readonly { channel: Channel; recipient: string | null }[]
  /** Hold what is not critical. */
  quietHours: readonly WeeklyWindow[]
  /** What the contact was told last of this alert. */
  told: Told
}

export type Channel = 'push' | 'email' | 'sms'

/**
 * `page`; `last_known`: a page without a fresh reading; `reopened`, `recovery`, `correction`: notices to whoever was
 * paged.
 */
export type DeliveryKind = 'page' | 'last_known' | 'reopened' | 'recovery' | 'correction'

/** One message to one recipient about one alert. */
export interface Delivery {
  alertId: number
  organizationId: number
  contactId: number | null
  profileId: number | null
  kind: DeliveryKind
  escalationLevel: number
  channel: Channel
  recipient: string
  /** Set where it cannot be sent: it is kept as failed. */
  error: string | null
  /** Not before this; messages of one recipient at the same time are one. */
  scheduledAtMs: number
}

export interface PagingLimits {
  /** An alert without a fresh reading pages as last known when nothing new has come for so long. */
  lastKnownAfterMs: number
  /** From one level to the next. */
  escalationMs: number
  /** Messages to one recipient in `singlesWindowMs` before further ones are grouped. */
  singlesMax: number
  singlesWindowMs: number
  /** Then one message in so much time. */
  groupMs: number
}
