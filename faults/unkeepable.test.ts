/** A message of a full spool that PostgreSQL refuses, also as a rejected one, does not hold up what is behind it. */
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { publishPacket } from '../broker/testing.ts'
import { connectRaw } from '../contract/testing/clients.ts'
import { NORTH_HUB, northDevice } from '../contract/testing/fleet.ts'
import { readingsOf } from '../contract/testing/rows.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { nextTime } from '../contract/testing/times.ts'
import { until } from '../db/testing/poll.ts'

const UNKEEPABLE_BYTES = 200_000

let service: TestService

beforeAll(async () => {
  const env = { INGEST_HOLD_MS: '300', SPOOL_BYTES_MAX: '4194304', INGEST_BATCH_BYTES_MAX: '1048576' }
  service = await startTestService({ env })
})
afterAll(() => service.close())

const spooled = () => service.metric('frostguard_readings_spooled')

test('it stays in the spool until PostgreSQL takes it', async () => {
  await service.query(
    `ALTER TABLE pipeline.rejected_payloads ADD CONSTRAINT unkeepable CHECK (length(payload) < ${UNKEEPABLE_BYTES})`,
  )
  const locker = new Client({ connectionString: service.url })
  await locker.connect()
  await locker.query(
    'BEGIN; LOCK TABLE pipeline.rejected_payloads, pipeline.ingest_batches IN ACCESS EXCLUSIVE MODE',
  )
  const hub = await connectRaw(service, NORTH_HUB)
  const send = (messageId: number, payload: string) =>
    hub.send(publishPacket({ topic: `v1/hubs/${NORTH_HUB}/readings`, payload, messageId }))
  send(1, 'x'.repeat(UNKEEPABLE_BYTES))
  await hub.next('puback')
  // One by one, so that in the end there is room for less than one of them, and for less than the first.
  const readiness = async () => (await service.get('/readyz')).text()
  const filler = 'x'.repeat(60_000)
  let sent = 1
  while (!/spool full/.test(await readiness())) {
    sent += 1
    send(sent, JSON.stringify({ device: northDevice(0), at: nextTime(), temperature: 4, filler }))
    await until(
      'it is acknowledged, or the spool is full',
      async () => hub.all('puback').length === sent || /spool full/.test(await readiness()),
    )
  }
  await locker.query('ROLLBACK')
  await locker.end()

  await hub.next('puback', sent)
  await until(
    'the others are stored',
    async () => (await readingsOf(service, northDevice(0))).length === sent - 1,
  )
  await until(
    'it alone is in the spool',
    async () => (await spooled()) === 1 && (await service.metric('frostguard_readings_in_flight')) === 0,
  )
  expect(service.logged.map(({ msg }) => msg).join()).toContain('refuses to keep a rejected message')
  expect(await readiness()).not.toMatch(/away|spool full|do not balance/)

  await service.query('ALTER TABLE pipeline.rejected_payloads DROP CONSTRAINT unkeepable')
  await service.stop()
  await service.start()
  const kept = () => service.query('SELECT length(payload) AS bytes FROM pipeline.rejected_payloads')
  await until('it is kept', async () => (await kept()).length > 0)
  expect(await kept()).toEqual([{ bytes: UNKEEPABLE_BYTES }])
  await until('the spool is empty', async () => (await spooled()) === 0)
})
