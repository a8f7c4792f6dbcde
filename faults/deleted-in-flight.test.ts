/** Rows of a device or a hub that are deleted from the database while its messages are held. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { closeAll, publishPacket } from '../broker/testing.ts'
import { connectRaw } from '../contract/testing/clients.ts'
import { NORTH_HUB, northDevice, spareHub } from '../contract/testing/fleet.ts'
import { readingsOf } from '../contract/testing/rows.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { nextTime } from '../contract/testing/times.ts'
import { until } from '../db/testing/poll.ts'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
afterEach(closeAll)
afterAll(() => service.close())

const reading = (device: string) => ({ device, at: nextTime(), temperature: 4 })

test('a device and a hub: the batch is stored with their neighbours, and later ones too', async () => {
  const [gone, stays, goneHub] = [northDevice(0), northDevice(1), spareHub(0)]
  const hubs = [await connectRaw(service, NORTH_HUB), await connectRaw(service, goneHub)]
  const send = (index: number, messageId: number, readings: unknown[]) => {
    const topic = `v1/hubs/${index === 0 ? NORTH_HUB : goneHub}/readings`
    hubs[index]?.send(
      publishPacket({ topic, messageId, payload: JSON.stringify({ boot: 'b', seq: messageId, readings }) }),
    )
  }
  const locker = await service.db.$client.connect()
  await locker.query('BEGIN; LOCK TABLE public.sensor_readings IN ACCESS EXCLUSIVE MODE')
  send(0, 1, [reading(gone), reading(stays)])
  send(1, 1, [reading(stays)])
  await until('they are held', async () => (await service.metric('frostguard_readings_in_flight')) === 3)
  await service.query('DELETE FROM public.devices WHERE device_eui = $1', [gone])
  await service.query('DELETE FROM public.hubs WHERE key = $1', [goneHub])
  await locker.query('ROLLBACK')
  locker.release()
  await hubs[0]?.next('puback')
  // What was sent before the log-in was revoked counts, although nobody waits for its PUBACK any longer.
  await hubs[1]?.untilClosed()
  await until('both are stored', async () => (await readingsOf(service, stays)).length === 2)
  await until('the device is unknown', async () => {
    const rows = await service.query(
      `SELECT 1 FROM pipeline.rejected_messages WHERE device = $1 AND reason = 'unknown_device'`,
      [gone],
    )
    if (rows.length > 0) return true
    send(0, 2, [reading(gone)])
    return false
  })
  send(0, 3, [reading(stays)])
  await until('it is stored', async () => (await readingsOf(service, stays)).length === 3)
  const receipts = () =>
    service.query(
      'SELECT 1 FROM pipeline.receipts r JOIN public.hubs h ON h.id = r.hub_id WHERE h.key = $1',
      [NORTH_HUB],
    )
  await until('the receipts of the other hub are kept', async () => (await receipts()).length > 0)
  expect(await service.metric('frostguard_readings_imbalance')).toBe(0)
})
