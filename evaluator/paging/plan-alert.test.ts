import { describe, expect, test } from 'vitest'
import { planAlert } from './plan-alert.ts'
import type { Contact, Delivery, PagedAlert, PagingLimits, Told } from './types.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
/** 2026-11-20 12:00 UTC, a Friday. */
const NOW = Date.UTC(2026, 10, 20, 12)
const LIMITS: PagingLimits = {
  lastKnownAfterMs: 10 * MINUTE,
  escalationMs: 15 * MINUTE,
  singlesMax: 20,
  singlesWindowMs: 10 * MINUTE,
  groupMs: MINUTE,
}

const ANNA = contact(1, 1)
const BERT = contact(2, 2)
const CARA = contact(3, 4)
const LATER = NOW + 2 * 60 * MINUTE

function contact(contactId: number, level: number, more: Partial<Contact> = {}): Contact {
  const addresses = [{ channel: 'email' as const, recipient: `${contactId}@example.com` }]
  return { contactId, profileId: null, level, addresses, quietUntilMs: null, ...more }
}

/** An open alert whose device is out of range, with its newest reading just in. */
function alert(more: Partial<PagedAlert> = {}): PagedAlert {
  return {
    alertId: 7,
    organizationId: 1,
    siteId: 1,
    severity: 'warning',
    status: 'active',
    resolution: null,
    evidence: [{ newestMs: NOW, isGood: false, intervalMs: 5 * MINUTE }],
    evidenceAtMs: NOW,
    pagedAtMs: null,
    escalatedAtMs: null,
    escalationLevel: 0,
    told: [],
    isHeld: false,
    contacts: [ANNA, BERT, CARA],
    operators: 'operator:demo',
    ...more,
  }
}

/** The alert after Anna was paged. */
function paged(agoMs: number, more: Partial<PagedAlert> = {}): PagedAlert {
  const told = [tell(ANNA, 'page', NOW - agoMs)]
  return alert({ pagedAtMs: NOW - agoMs, escalationLevel: 1, told, ...more })
}

function tell({ contactId, level, addresses }: Contact, kind: Told['kind'], scheduledAtMs: number): Told {
  const to = { contactId, profileId: null, channel: 'email' as const }
  const recipient = addresses[0]?.recipient ?? ''
  return { ...to, recipient, kind, escalationLevel: level, scheduledAtMs, isUnreachable: recipient === '' }
}

const plan = (given: PagedAlert, nowMs = NOW) => planAlert(given, nowMs, LIMITS)
const brief = (deliveries: readonly Delivery[]) =>
  deliveries.map(({ recipient, kind }) => `${kind} ${recipient}`)
const toldBy = (given: PagedAlert, nowMs = NOW) => brief(plan(given, nowMs).deliveries)

describe('an open alert', () => {
  test('pages the first level at once when a fresh reading is not good', () => {
    const { deliveries, escalationLevel, waits } = plan(alert())
    expect(brief(deliveries)).toEqual(['page 1@example.com'])
    expect(deliveries).toMatchObject([{ alertId: 7, escalationLevel: 1, scheduledAtMs: NOW }])
    expect({ escalationLevel, waits }).toEqual({ escalationLevel: 1, waits: null })
  })

  test.each([
    ['two intervals and 30 s old: fresh', 630 * SECOND, 'page 1@example.com'],
    ['a moment more: it waits', 630 * SECOND + 1, undefined],
  ])('a reading %s', (_, ageMs, page) => {
    const evidence = [{ newestMs: NOW - ageMs, isGood: false, intervalMs: 5 * MINUTE }]
    expect(toldBy(alert({ evidence }))[0]).toBe(page)
    if (!page) expect(plan(alert({ evidence })).waits).toBe('stale')
  })

  test('waits while the newest reading is good; one device of several that is not is enough', () => {
    const good = { newestMs: NOW, isGood: true, intervalMs: 5 * MINUTE }
    expect(plan(alert({ evidence: [good] })).waits).toBe('stale')
    expect(toldBy(alert({ evidence: [good, { ...good, isGood: false }] }))).toHaveLength(1)
  })

  test('pages as last known when nothing new has come for ten minutes', () => {
    const stale = alert({ evidence: [{ newestMs: NOW - 86_400_000, isGood: false, intervalMs: 5 * MINUTE }] })
    expect(toldBy({ ...stale, evidenceAtMs: NOW - 10 * MINUTE + 1 })).toEqual([])
    expect(toldBy({ ...stale, evidenceAtMs: NOW - 10 * MINUTE })).toEqual(['last_known 1@example.com'])
    expect(toldBy({ ...stale, evidence: [], evidenceAtMs: NOW - 10 * MINUTE })).toHaveLength(1)
  })

  test('that the clock proves pages at once', () => {
    expect(toldBy(alert({ evidence: 'clock' }))).toEqual(['page 1@example.com'])
  })

  test('that is held pages nobody, critical or not, and pages when the hold ends', () => {
    const held = alert({ isHeld: true, severity: 'critical' })
    expect(plan(held)).toMatchObject({ deliveries: [], escalationLevel: 0, waits: 'held' })
    expect(toldBy({ ...held, isHeld: false })).toHaveLength(1)
  })

  test('that somebody has acknowledged pages nobody', () => {
    expect(toldBy(alert({ status: 'acknowledged' }))).toEqual([])
    expect(toldBy(paged(60 * MINUTE, { status: 'acknowledged' }))).toEqual([])
  })

  test('says nothing twice', () => {
    expect(toldBy(paged(MINUTE))).toEqual([])
  })

  test('is sent over each channel of a contact; one without an address is kept, and somebody is paged all the same', () => {
    const dora = contact(4, 1, {
      addresses: [
        { channel: 'email', recipient: 'dora@example.com' },
        { channel: 'sms', recipient: null },
      ],
    })
    const { deliveries } = plan(alert({ contacts: [dora] }))
    expect(deliveries).toMatchObject([
      { channel: 'email', isUnreachable: false },
      { channel: 'sms', recipient: '', isUnreachable: true },
    ])
    const mute = contact(5, 1, { addresses: [{ channel: 'sms', recipient: null }] })
    expect(toldBy(alert({ contacts: [mute] }))).toEqual(['page ', 'page operator:demo'])
    expect(toldBy(paged(MINUTE, { contacts: [mute], told: [tell(mute, 'page', NOW)] }))).toEqual([
      'page operator:demo',
    ])
  })

  test('without contacts pages the operators, once', () => {
    const lonely = alert({ contacts: [] })
    const { deliveries, escalationLevel } = plan(lonely)
    expect(deliveries).toMatchObject([
      { contactId: null, channel: 'push', recipient: 'operator:demo', kind: 'page' },
    ])
    expect(escalationLevel).toBe(1)
    expect(plan({ ...lonely, pagedAtMs: NOW, escalationLevel: 1, told: deliveries }).deliveries).toEqual([])
  })
})

describe('escalation', () => {
  test('goes to the next level that has somebody, 15 minutes after the last one', () => {
    expect(toldBy(paged(15 * MINUTE - 1))).toEqual([])
    const second = plan(paged(15 * MINUTE))
    expect(brief(second.deliveries)).toEqual(['page 2@example.com'])
    expect(second).toMatchObject({ escalationLevel: 2, escalates: true })
    const told = [tell(ANNA, 'page', NOW - 30 * MINUTE), tell(BERT, 'page', NOW - 15 * MINUTE)]
    const third = paged(30 * MINUTE, { told, escalationLevel: 2, escalatedAtMs: NOW - 15 * MINUTE })
    expect(plan(third)).toMatchObject({ escalationLevel: 4, escalates: true })
    expect(plan({ ...third, escalatedAtMs: NOW - 14 * MINUTE })).toMatchObject({ escalates: false })
  })

  test('has an end', () => {
    const told = [ANNA, BERT, CARA].map((who) => tell(who, 'page', NOW - 60 * MINUTE))
    expect(plan(paged(90 * MINUTE, { told, escalationLevel: 4 }))).toMatchObject({
      deliveries: [],
      escalates: false,
    })
  })

  test('is held as pages are', () => {
    expect(toldBy(paged(60 * MINUTE, { isHeld: true }))).toEqual([])
  })

  test('pages as last known when its device has fallen silent', () => {
    const evidence = [{ newestMs: NOW - 60 * MINUTE, isGood: false, intervalMs: 5 * MINUTE }]
    expect(toldBy(paged(15 * MINUTE, { evidence }))).toEqual(['last_known 2@example.com'])
  })
})

describe('quiet hours', () => {
  const quiet = { ...ANNA, quietUntilMs: LATER }
  const evidence = [{ newestMs: LATER, isGood: false, intervalMs: 5 * MINUTE }]

  test('hold what is not critical, until they end', () => {
    const held = alert({ contacts: [quiet, BERT] })
    expect(plan(held)).toMatchObject({ deliveries: [], escalationLevel: 0, waits: 'quiet' })
    expect(toldBy({ ...held, severity: 'critical' })).toEqual(['page 1@example.com'])
    expect(toldBy({ ...held, evidence, contacts: [ANNA, BERT] }, LATER)).toEqual(['page 1@example.com'])
  })

  test('of one contact do not hold the others; the one is paged when they end', () => {
    const dora = contact(4, 1)
    const both = alert({ contacts: [quiet, dora] })
    expect(toldBy(both)).toEqual(['page 4@example.com'])
    const after = { ...both, evidence, told: [tell(dora, 'page', NOW)], pagedAtMs: NOW, escalationLevel: 1 }
    expect(toldBy(after, LATER - 1)).toEqual([])
    expect(toldBy({ ...after, contacts: [ANNA, dora] }, LATER)).toEqual(['page 1@example.com'])
  })

  test('hold all where nobody else can be reached', () => {
    const mute = contact(5, 1, { addresses: [{ channel: 'sms', recipient: null }] })
    const held = alert({ contacts: [quiet, mute] })
    expect(plan(held)).toMatchObject({ deliveries: [], escalationLevel: 0, waits: 'quiet' })
    const after = { ...held, evidence, contacts: [ANNA, mute] }
    expect(toldBy(after, LATER)).toEqual(['page 1@example.com', 'page '])
  })

  test('put off a notice', () => {
    const over = { status: 'resolved', resolution: 'recovered' } as const
    const { deliveries } = plan(paged(60 * MINUTE, { ...over, contacts: [quiet] }))
    expect(deliveries).toMatchObject([{ kind: 'recovery', scheduledAtMs: LATER }])
    const critical = paged(60 * MINUTE, { ...over, contacts: [quiet], severity: 'critical' })
    expect(plan(critical).deliveries).toMatchObject([{ scheduledAtMs: NOW }])
    const always = [{ ...ANNA, quietUntilMs: Number.POSITIVE_INFINITY }]
    expect(plan(paged(MINUTE, { ...over, contacts: always })).deliveries).toMatchObject([
      { scheduledAtMs: NOW },
    ])
  })
})

describe('an alert that is over', () => {
  const recovered = { status: 'resolved', resolution: 'recovered' } as const
  const withdrawn = { status: 'resolved', resolution: 'withdrawn' } as const

  test('and has paged nobody is told to nobody', () => {
    expect(toldBy(alert(recovered))).toEqual([])
    expect(toldBy(alert(withdrawn))).toEqual([])
  })

  test('is told to whoever was paged, once, also to who is no contact any more', () => {
    const told = [tell(ANNA, 'page', NOW - 30 * MINUTE), tell(BERT, 'page', NOW - 15 * MINUTE)]
    const over = paged(30 * MINUTE, { ...recovered, told, contacts: [ANNA] })
    const { deliveries } = plan(over)
    expect(brief(deliveries)).toEqual(['recovery 1@example.com', 'recovery 2@example.com'])
    expect(toldBy({ ...over, told: [...told, ...deliveries] })).toEqual([])
  })

  test.each(['by_person', 'rule_changed'] as const)('is told to nobody where it ended %s', (resolution) => {
    expect(toldBy(paged(MINUTE, { status: 'resolved', resolution }))).toEqual([])
  })

  test('and withdrawn is corrected, once, also after its recovery was told', () => {
    const { deliveries } = plan(paged(MINUTE, withdrawn))
    expect(brief(deliveries)).toEqual(['correction 1@example.com'])
    expect(toldBy(paged(MINUTE, { ...withdrawn, told: deliveries }))).toEqual([])
    const told = [tell(ANNA, 'page', NOW - MINUTE), tell(ANNA, 'recovery', NOW)]
    expect(toldBy(paged(MINUTE, { ...withdrawn, told }))).toEqual(['correction 1@example.com'])
  })

  test('and opens again is told to whoever heard that it was over, once; escalation begins anew', () => {
    const told = [tell(ANNA, 'page', NOW - 60 * MINUTE), tell(ANNA, 'recovery', NOW - 30 * MINUTE)]
    const reopened = paged(60 * MINUTE, { told })
    const { deliveries, escalates } = plan(reopened)
    expect(brief(deliveries)).toEqual(['reopened 1@example.com'])
    expect(escalates).toBe(false)
    const after = { ...reopened, told: [...told, ...deliveries] }
    const evidence = [{ newestMs: NOW + 15 * MINUTE, isGood: false, intervalMs: 5 * MINUTE }]
    expect(toldBy(after, NOW + 15 * MINUTE - 1)).toEqual([])
    expect(toldBy({ ...after, evidence }, NOW + 15 * MINUTE)).toEqual(['page 2@example.com'])
  })
})
