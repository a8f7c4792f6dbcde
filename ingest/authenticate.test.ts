import { expect, test } from 'vitest'
import { hashSecret } from '../db/credentials.ts'
import type { LogInRecord } from '../db/registry.ts'
import { createAuthenticator } from './authenticate.ts'
import { usernameOf } from './registry.ts'

function record(change: Partial<LogInRecord>): LogInRecord {
  return { kind: 'hub', name: 'hub-1', id: 1, organizationId: 1, siteId: 1, credentialHash: '', ...change }
}

function authenticatorOf(records: LogInRecord[], away = { now: false }) {
  const find = (username: string) => records.find((candidate) => usernameOf(candidate) === username)
  return createAuthenticator({
    lookUpLogIn: async (username) => {
      if (away.now) throw new Error('connect ECONNREFUSED')
      return find(username)
    },
    logIn: find,
  })
}

function logIn(username: string | undefined, password?: string) {
  return {
    username,
    password: password === undefined ? undefined : Buffer.from(password),
    clientId: 'client',
    remoteAddress: '127.0.0.1',
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

test('while the database is away, who could log in before still can', async () => {
  const away = { now: false }
  const { authenticate } = authenticatorOf([record({ credentialHash: await hashSecret('secret') })], away)
  away.now = true
  expect(await authenticate(logIn('hub-1', 'secret'))).toMatchObject({ ok: true })
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
