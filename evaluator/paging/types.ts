import type { Severity } from '../core/types.ts'

/** What the newest reading of a device says about an alert that runs. */
export interface Evidence {
  /** Evaluation time of the device's newest reading; null = none is known. */
  newestMs: number | null
  isGood: boolean
  intervalMs: number
}

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
  /** Our clock when it last went up a level; null = never. */
  escalatedAtMs: number | null
  /** 0 = nobody has been paged. */
  escalationLevel: number
  /** What people were told of it, in order. */
  told: readonly Told[]
  /** By its rule's schedule or a maintenance window. */
  isHeld: boolean
  /** Whom it may page, at every level. */
  contacts: readonly Contact[]
  /** The operators of its organization as a recipient: paged where nobody else can be. */
  operators: string
}

export interface Contact {
  contactId: number
  profileId: number | null
  /** 1 is paged first. */
  level: number
  /** `recipient` null = the contact has no address for this channel. */
  addresses: readonly { channel: Channel; recipient: string | null }[]
  /** Until then what is not critical is held; null = it is not, Infinity = for ever. */
  quietUntilMs: number | null
}

export type Channel = 'push' | 'email' | 'sms'

/**
 * `page`; `last_known`: a page without a fresh reading that is out of range; `reopened`, `recovery`, `correction`: notices to whoever was
 * paged.
 */
export type DeliveryKind = 'page' | 'last_known' | 'reopened' | 'recovery' | 'correction'

/** Where a message goes. */
export interface Address {
  /** Null = the operators of the organization. */
  contactId: number | null
  profileId: number | null
  channel: Channel
  recipient: string
}

/** A message that was written before. */
export interface Told extends Address {
  kind: DeliveryKind
  escalationLevel: number
  scheduledAtMs: number
  /** It had no address to go to. */
  isUnreachable: boolean
}

/** One message to one recipient about one alert. Those of one recipient and channel at the same time are one. */
export interface Delivery extends Told {
  alertId: number
  organizationId: number
}

export interface PagingLimits {
  /** An alert without a fresh reading pages as last known when nothing new has come for so long. */
  lastKnownAfterMs: number
  /** From one level to the next. */
  escalationMs: number
  /** Messages to one recipient in `singlesWindowMs`; further ones are grouped. */
  singlesMax: number
  singlesWindowMs: number
  /** A recipient whose messages are grouped gets one in so much time. */
  groupMs: number
}
