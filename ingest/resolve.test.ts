import { expect, test } from 'vitest'
import type { Principal } from '../broker/types.ts'
import type { Assignment, DeviceRecord } from '../db/registry.ts'
import { doubtfulDevices, type ResolveContext, resolveItem } from './resolve.ts'

const MOVED_AT = Date.UTC(2026, 0, 1)
const BEFORE = MOVED_AT - 1
const HUB: Principal = {
  kind: 'hub',
  name: 'hub-1',
  username: 'hub-1',
  organizationId: 1,
  id: 1,
  credentialHash: '',
}

function device(organizationId: number, assignments: Partial<Assignment>[]): DeviceRecord {
  const everything = {
    unitId: 7,
    siteId: 3,
    fromMs: Number.NEGATIVE_INFINITY,
    toMs: Number.POSITIVE_INFINITY,
  }
  return {
    id: 42,
    devEui: 'aa',
    organizationId,
    assignments: assignments.map((assignment) => ({ ...everything, ...assignment })),
  }
}

/** From unit 7 at site 3 to unit 8 at site 4. */
const moved = device(1, [{ toMs: MOVED_AT }, { unitId: 8, siteId: 4, fromMs: MOVED_AT }])

function resolve(
  found: DeviceRecord | undefined,
  change: Partial<ResolveContext>,
  atMs: number | null = BEFORE,
) {
  return resolveItem({ item: 0, device: 'aa', atMs }, { ...context(found), ...change })
}

function context(found: DeviceRecord | undefined): ResolveContext {
  return {
    describe: () => ({ devicePath: 'readings[0].device', device: 'AA', at: 'as sent' }),
    principal: HUB,
    hubSiteId: 3,
    receivedAtMs: MOVED_AT + 5,
    find: () => found,
    arrivalTime: (_device, receivedAtMs) => receivedAtMs,
  }
}

test('a reading lands in the unit that the device had at its own time', () => {
  expect(resolve(moved, {}, BEFORE)).toMatchObject({ assignment: { unitId: 7 }, source: 'hub' })
  expect(resolve(moved, { hubSiteId: 4 }, MOVED_AT)).toMatchObject({ assignment: { unitId: 8 } })
  expect(resolve(moved, { hubSiteId: 4 }, BEFORE)).toMatchObject({ assignment: { unitId: 7 } })
})

test('a reading without a time gets that of its arrival', () => {
  expect(resolve(moved, { hubSiteId: 4 }, null)).toMatchObject({
    atMs: MOVED_AT + 5,
    source: 'arrival',
    assignment: { unitId: 8 },
  })
})

test('a device of another organization does not exist for the sender', () => {
  const other = device(2, [{}])
  expect(resolve(other, {})).toMatchObject({ reason: 'unknown_device' })
  expect(resolve(undefined, {})).toMatchObject({ reason: 'unknown_device' })
  expect(resolve(undefined, {})).toMatchObject({
    detail: 'readings[0].device: expected a device of this organization (fleet:apply adds one), got "AA"',
    device: 'AA',
    at: 'as sent',
  })
  expect(JSON.stringify(resolve(other, {}))).toBe(JSON.stringify(resolve(undefined, {})))
})

test('a hub speaks for the devices of its site, now or then, and for no others', () => {
  expect(resolve(moved, { hubSiteId: 3 }, BEFORE)).not.toHaveProperty('reason')
  expect(resolve(moved, { hubSiteId: 3 }, MOVED_AT + 1)).toMatchObject({ reason: 'not_your_device' })
  expect(resolve(moved, { hubSiteId: 5 }, BEFORE)).toMatchObject({ reason: 'not_your_device' })
  expect(resolve(moved, { hubSiteId: null }, BEFORE)).toMatchObject({ reason: 'not_your_device' })
})

test('a network server speaks for its organization, a device for itself, an operator for none', () => {
  const as = (kind: Principal['kind'], id: number) =>
    resolve(moved, { principal: { ...HUB, kind, id }, hubSiteId: null })
  expect(as('network_server', 9)).toMatchObject({ source: 'network' })
  expect(as('device', 42)).toMatchObject({ source: 'device' })
  expect(as('device', 43)).toMatchObject({ reason: 'not_your_device' })
  expect(as('operator', 1)).toMatchObject({ reason: 'not_your_device' })
})

test('a device that would be refused is doubtful: the database is asked before it is', () => {
  const items = [0, 1].map((item) => ({ item, device: 'aa', atMs: MOVED_AT + item }))
  expect(doubtfulDevices(items, context(undefined))).toEqual(['aa'])
  expect(doubtfulDevices(items, context(moved))).toEqual(['aa'])
  expect(doubtfulDevices(items, { ...context(moved), hubSiteId: 4 })).toEqual([])
})
