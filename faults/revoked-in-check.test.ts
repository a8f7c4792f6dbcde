/** A log-in that is revoked while its secret is being verified, which a flood of log-ins may make wait for seconds. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { connectPacket, openRaw } from '../broker/testing.ts'
import { connectRaw } from '../contract/testing/clients.ts'
import { NORTH_HUB, NORTH_HUB_2 } from '../contract/testing/fleet.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { until } from '../db/testing/poll.ts'

const verification = vi.hoisted(() => ({
  isHeld: false,
  /** Set when one is under way. */
  end: undefined as (() => void) | undefined,
}))

vi.mock('../db/credentials.ts', async (original) => {
  const real = await original<typeof import('../db/credentials.ts')>()
  const verifySecret: typeof real.verifySecret = async (secret, stored) => {
    const matches = await real.verifySecret(secret, stored)
    if (!verification.isHeld) return matches
    return new Promise((resolve) => {
      verification.end = () => resolve(matches)
    })
  }
  return { ...real, verifySecret }
})

let service: TestService

beforeAll(async () => {
  service = await startTestService({ env: { REGISTRY_REFRESH_MS: '100' } })
})
afterAll(() => service.close())

test('it does not come in', async () => {
  const revoked = await connectRaw(service, NORTH_HUB_2)
  verification.isHeld = true
  const client = await openRaw(service.mqttPort)
  client.send(connectPacket({ username: NORTH_HUB, password: Buffer.from(service.secretOf(NORTH_HUB)) }))
  await until('its secret is being verified', () => verification.end !== undefined)
  await service.query('UPDATE public.hubs SET deleted_at = now() WHERE key = ANY ($1)', [
    [NORTH_HUB, NORTH_HUB_2],
  ])
  await revoked.untilClosed()
  verification.end?.()
  expect((await client.next('connack')).returnCode).toBe(3)
  await client.untilClosed()
})
