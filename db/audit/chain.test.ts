import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from './canonical-json.ts'
import { type AuditContent, CHAIN_START, chainEntries, entryHash, firstBreak } from './chain.ts'

const content = (number: number): AuditContent => ({
  organizationId: 7,
  actorProfileId: null,
  actor: 'test',
  action: 'updated',
  entityType: 'unit',
  entityId: number,
  oldValues: { temp_max: 5, name: 'Cooler' },
  newValues: { temp_max: 6.5, name: 'Cooler' },
  occurredAt: new Date('2026-11-20T10:15:02.120Z'),
})

describe('canonical JSON', () => {
  it('does not depend on the order of fields, also within arrays', () => {
    const a = { b: 1, a: [{ d: null, c: 'x' }], 10: true, 9: false }
    const b = { 9: false, a: [{ c: 'x', d: null }], 10: true, b: 1 }
    expect(canonicalJson(a)).toBe('{"10":true,"9":false,"a":[{"c":"x","d":null}],"b":1}')
    expect(canonicalJson(b)).toBe(canonicalJson(a))
  })

  it('writes dates as text and leaves undefined fields out', () => {
    expect(canonicalJson({ at: new Date(0), gone: undefined })).toBe('{"at":"1970-01-01T00:00:00.000Z"}')
  })
})

describe('the audit chain', () => {
  it('hashes exactly the documented form', () => {
    const form =
      '{"action":"updated","actor":"test","actorProfileId":null,"entityId":1,"entityType":"unit",' +
      '"newValues":{"name":"Cooler","temp_max":6.5},"occurredAt":"2026-11-20T10:15:02.120Z",' +
      '"oldValues":{"name":"Cooler","temp_max":5},"organizationId":7}'
    const expected = createHash('sha256').update(Buffer.alloc(32)).update(form).digest('hex')
    expect(entryHash(CHAIN_START, content(1)).toString('hex')).toBe(expected)
  })

  it('links each entry to the one before', () => {
    const [first, second] = chainEntries(CHAIN_START, [content(1), content(2)])
    expect(first?.previousHash).toEqual(CHAIN_START)
    expect(second?.previousHash).toEqual(first?.hash)
    expect(
      firstBreak(
        CHAIN_START,
        [first, second].filter((entry) => entry !== undefined),
      ),
    ).toBeUndefined()
  })

  it.each<[string, Partial<AuditContent>]>([
    ['organizationId', { organizationId: 8 }],
    ['actorProfileId', { actorProfileId: 1 }],
    ['actor', { actor: 'someone else' }],
    ['action', { action: 'created' }],
    ['entityType', { entityType: 'hub' }],
    ['entityId', { entityId: 3 }],
    ['oldValues', { oldValues: null }],
    ['newValues', { newValues: { temp_max: 6.51, name: 'Cooler' } }],
    ['occurredAt', { occurredAt: new Date('2026-11-20T10:15:02.121Z') }],
  ])('finds a changed %s', (_field, change) => {
    const entries = chainEntries(CHAIN_START, [content(1), content(2), content(3)])
    const forged = entries.map((entry, i) => (i === 1 ? { ...entry, ...change } : entry))
    expect(firstBreak(CHAIN_START, forged)).toEqual({ entry: forged[1], reason: 'changed' })
  })

  it('finds a removed and a foreign entry', () => {
    const entries = chainEntries(CHAIN_START, [content(1), content(2), content(3)])
    expect(firstBreak(CHAIN_START, entries.toSpliced(1, 1))).toMatchObject({
      entry: { entityId: 3 },
      reason: 'not_linked',
    })
    const foreign = chainEntries(CHAIN_START, [content(9)])
    expect(firstBreak(CHAIN_START, entries.toSpliced(2, 0, ...foreign))).toMatchObject({
      entry: { entityId: 9 },
      reason: 'not_linked',
    })
  })
})
