import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { logInFields, returnCodeOf } from '../contract/testing/clients.ts'
import { NORTH_HUB } from '../contract/testing/fleet.ts'
import { startTestService } from '../contract/testing/service.ts'

/** More than LOG_IN_LOOKUP_MS is by default. */
const LONG_MS = 2_500

test('LOG_IN_LOOKUP_MS: so long a log-in waits for the database, which then decides', async () => {
  const service = await startTestService({
    env: { LOG_IN_LOOKUP_MS: '60000', MQTT_CONNECT_TIMEOUT_MS: '60000' },
  })
  const holder = new Client({ connectionString: service.url })
  await holder.connect()
  try {
    await holder.query('BEGIN; LOCK TABLE hubs IN ACCESS EXCLUSIVE MODE')
    const answer = returnCodeOf(service, logInFields(service, NORTH_HUB))
    await sleep(LONG_MS)
    expect(await service.metric('frostguard_log_ins_from_memory_total')).toBe(0)
    await holder.query('ROLLBACK')
    expect((await answer).returnCode).toBe(0)
    expect(await service.metric('frostguard_log_ins_from_memory_total')).toBe(0)
  } finally {
    await holder.end()
    await service.close()
  }
})
