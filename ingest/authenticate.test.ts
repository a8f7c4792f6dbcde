import { describe, expect, test } from 'vitest'
import { hashSecret } from '../db/credentials.ts'
import type { LogInRecord } from '../db/registry.ts'
import { createAuthenticator } from './authenticate.ts'
import { usernameOf } from './registry.ts'

function record(change: Partial<LogInRecord>): LogInRecord {
  return { kind: 'hub', name: 'hub-1', id: 1, organizationId: 1, siteId: 1, credentialHash: '', ...change }
}

type Database = 'answers' | 'refuses' | 'hangs'

/** A registry that knows these records; the database behind it may be away. */
function authenticatorOf(records: LogInRecord[], database: { now: Database } = { now: 'answers' }) {
  const find = (username: string) => records.find((candidate) => usernameOf(candidate) === username)
  const lookUpLogIn = async (username: string) => {
    if (database.now === 'refuses') throw new Error('connect ECONNREFUSED')
    if (database.now === 'hangs') await new Promise(() => {})
    return find(username)
  }
  return createAuthenticator({ lookUpLogIn, logIn: find }, { lookUpMs: 50 })
}

function logIn(username: string | undefined, password?: string, isLockedOut = false) {
  return {
    username,
    password: password === undefined ? undefined : Buffer.from(password),
    clientId: 'client',
    remoteAddress: '127.0.0.1',
    isLockedOut,
  }
}

test('the right secret logs in, and nothing else does', async () => {
  const { authenticate } = authenticatorOf([record({ credentialHash: await hashSecret('right') })])
  expect(await authenticate(logIn('hub-1', 'right'))).toMatchObject({
    ok: true,
    principal: { kind: 'hub', name: 'hub-1', username: 'hub-1', id: 1 },
  })
  const refused = await Promise.all([
    authenticate(logIn('hub-1', 'wrong')),
    authenticate(logIn('hub-1')),
    authenticate(logIn('hub-2', 'right')),
    authenticate(logIn('device:hub-1', 'right')),
  ])
  expect(refused.map((answer) => !answer.ok && answer.refusal)).toEqual(Array(4).fill('bad_credentials'))
  expect(await authenticate(logIn(undefined))).toMatchObject({ ok: false, refusal: 'not_authorized' })
})

test('a reconnect storm of 1,000 hubs that were verified before runs no scrypt', async () => {
  const credentialHash = await hashSecret('secret')
  const hubs = Array.from({ length: 1_000 }, (_, n) => record({ name: `hub-${n}`, id: n, credentialHash }))
  const { authenticate, counters } = authenticatorOf(hubs)
  await authenticate(logIn('hub-0', 'secret'))
  const before = counters.verifications
  const answers = await Promise.all(hubs.map((hub) => authenticate(logIn(hub.name, 'secret'))))
  expect(answers.every((answer) => answer.ok)).toBe(true)
  expect(counters.verifications).toBe(before)
})

test('many connections of one hub at once cost one scrypt run', async () => {
  const { authenticate, counters } = authenticatorOf([record({ credentialHash: await hashSecret('secret') })])
  await Promise.all(Array.from({ length: 50 }, () => authenticate(logIn('hub-1', 'secret'))))
  // Two run side by side before either has finished.
  expect(counters.verifications).toBeLessThanOrEqual(2)
})

test('a changed secret ends the old one at once, remembered or not', async () => {
  const hub = record({ credentialHash: await hashSecret('old') })
  const { authenticate } = authenticatorOf([hub])
  expect(await authenticate(logIn('hub-1', 'old'))).toMatchObject({ ok: true })
  hub.credentialHash = await hashSecret('new')
  expect(await authenticate(logIn('hub-1', 'old'))).toMatchObject({ ok: false })
  expect(await authenticate(logIn('hub-1', 'new'))).toMatchObject({ ok: true })
})

describe.each(['refuses', 'hangs'] as const)('while the database %s', (state) => {
  const away = { now: state }

  test('who could log in before still can, and a wrong password stays wrong', async () => {
    const hub = record({ credentialHash: await hashSecret('secret') })
    const { authenticate, counters } = authenticatorOf([hub], away)
    expect(await authenticate(logIn('hub-1', 'secret'))).toMatchObject({ ok: true })
    expect(await authenticate(logIn('hub-1', 'no'))).toMatchObject({ refusal: 'bad_credentials' })
    expect(counters.fromMemory).toBe(2)
  })

  test('who is not known is told to come again, as it may be new', async () => {
    const { authenticate } = authenticatorOf([], away)
    expect(await authenticate(logIn('hub-new', 'secret'))).toMatchObject({
      ok: false,
      refusal: 'unavailable',
    })
  })
})

test('an answer that comes after the wait harms nothing', async () => {
  const hub = record({ credentialHash: await hashSecret('secret') })
  const { promise, reject } = Promise.withResolvers<LogInRecord | undefined>()
  const { authenticate } = createAuthenticator(
    { lookUpLogIn: () => promise, logIn: () => hub },
    { lookUpMs: 10 },
  )
  expect(await authenticate(logIn('hub-1', 'secret'))).toMatchObject({ ok: true })
  reject(new Error('timeout'))
  await new Promise((resolve) => setImmediate(resolve))
})

describe('locked out', () => {
  test('a secret that was verified before comes in; nothing else is checked, known or not', async () => {
    const hubs = [
      record({ credentialHash: await hashSecret('right') }),
      record({ name: 'hub-2', id: 2, credentialHash: await hashSecret('right') }),
    ]
    const { authenticate, counters } = authenticatorOf(hubs)
    await authenticate(logIn('hub-1', 'right'))
    const before = counters.verifications
    expect(await authenticate(logIn('hub-1', 'right', true))).toMatchObject({ ok: true })
    const refused = [
      await authenticate(logIn('hub-1', 'wrong', true)),
      await authenticate(logIn('hub-1', undefined, true)),
      await authenticate(logIn('hub-2', 'right', true)),
      await authenticate(logIn('hub-3', 'right', true)),
    ]
    expect(refused.map((answer) => !answer.ok && answer.refusal)).toEqual(Array(4).fill('unavailable'))
    expect(counters.verifications).toBe(before)
  })
})

test('a username that nobody has costs the same check as a wrong password', async () => {
  const { authenticate, counters } = authenticatorOf([record({ credentialHash: await hashSecret('right') })])
  await authenticate(logIn('hub-1', 'wrong'))
  expect(counters.verifications).toBe(1)
  expect(await authenticate(logIn('hub-9', 'wrong'))).toMatchObject({ refusal: 'bad_credentials' })
  expect(counters.verifications).toBe(2)
})

test('a DevEUI in a username may be written in any way', async () => {
  const device = record({
    kind: 'device',
    name: '24e124136b502f4a',
    credentialHash: await hashSecret('secret'),
  })
  const { authenticate } = authenticatorOf([device])
  for (const eui of ['24e124136b502f4a', '24E124136B502F4A', '24:e1:24:13:6b:50:2f:4a']) {
    expect(await authenticate(logIn(`device:${eui}`, 'secret'))).toMatchObject({ ok: true })
  }
})
