/** A batch that an earlier process has spooled is drained under its old id: no kill makes its messages missing. */
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { publish } from '../contract/testing/clients.ts'
import { NORTH_HUB, northDevice } from '../contract/testing/fleet.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { nextTime } from '../contract/testing/times.ts'
import { firstBatchIdAt } from '../db/batches/batch-id.ts'
import { until } from '../db/testing/poll.ts'
import { endSessions } from './testing/postgres.ts'

const LOCK = 1

let service: TestService
let holder: Client

beforeAll(async () => {
  service = await startTestService({ env: { INGEST_HOLD_MS: '300' } })
  holder = new Client({ connectionString: service.url })
  await holder.connect()
})
afterAll(async () => {
  await holder.end()
  await service.close()
})

async function publishNumbered(seq: number): Promise<void> {
  const hub = await service.connect(NORTH_HUB)
  const readings = [{ device: northDevice(0), at: nextTime(), temperature: 4 }]
  await publish(hub, `v1/hubs/${NORTH_HUB}/readings`, { boot: 'a', seq, readings })
  await hub.endAsync()
}

async function watermark(): Promise<bigint> {
  const [row] = await service.query<{ id: string }>(
    "SELECT batch_id AS id FROM pipeline.watermarks WHERE name = 'receipts'",
  )
  return BigInt(row?.id ?? 0)
}

const receipts = () => service.query('SELECT seq::int, missing FROM pipeline.receipts')

test('the watermark of the receipts waits for it', async () => {
  await holder.query('BEGIN; LOCK TABLE public.sensor_readings IN ACCESS EXCLUSIVE MODE')
  await publishNumbered(1)
  expect(await service.metric('frostguard_readings_spooled_total')).toBe(1)
  await service.stop()
  // The server has the whole batch, and would commit it now.
  await endSessions(service.url, 'frostguard ingest')
  await holder.query('ROLLBACK')
  // As after a kill that came before the receipts were kept.
  await service.query('DELETE FROM pipeline.receipts')
  await service.query('UPDATE pipeline.watermarks SET batch_id = 0')

  // The old batch waits for its COMMIT, those of the new process do not.
  const firstNewId = firstBatchIdAt(Date.now())
  await holder.query(`SELECT pg_advisory_lock(${LOCK})`)
  await service.query(`
    CREATE FUNCTION wait_if_old() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock(${LOCK}); RETURN NEW; END $$;
    CREATE TRIGGER wait_if_old BEFORE INSERT ON pipeline.ingest_batches FOR EACH ROW
      WHEN (NEW.id < ${firstNewId}) EXECUTE FUNCTION wait_if_old()`)
  // While the old batch waits nothing else leaves the spool: the new one must not come there.
  await service.start({ INGEST_HOLD_MS: '60000' })
  await publishNumbered(2)
  await until('the receipt of the newer one is kept', async () => (await receipts()).length === 1)
  expect(await watermark()).toBeLessThan(firstNewId)

  await holder.query(`SELECT pg_advisory_unlock(${LOCK})`)
  await until('the watermark goes on', async () => (await watermark()) >= firstNewId)
  expect(await service.metric('frostguard_readings_spooled')).toBe(0)
  expect(await receipts()).toEqual([{ seq: 2, missing: [] }])
})
