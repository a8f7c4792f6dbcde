/** The database lives and refuses the service: hubs go on, /readyz says why, and when it is mended all is stored. */
import { afterAll, beforeAll, beforeEach, test } from 'vitest'
import type { LoadedService } from './testing/loaded-service.ts'
import type { Publishers } from './testing/publishers.ts'
import { ROLE, type ServiceWithRole, startServiceWithRole } from './testing/service-with-role.ts'

let stage: ServiceWithRole
let service: LoadedService

beforeAll(async () => {
  stage = await startServiceWithRole()
  service = stage.service
})

afterAll(() => stage?.close())

const endSessions = () =>
  stage.asOwner(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ROLE}'`)

let load: Publishers

beforeEach(async () => {
  load = service.load()
  await service.acknowledges(100)
})

async function recovers(): Promise<void> {
  await service.acknowledges(100)
  await load.stop()
  await service.expectAllStored()
}

test('the role has lost INSERT', async () => {
  await stage.asOwner(`REVOKE INSERT ON sensor_readings FROM ${ROLE}`)
  await service.untilNotReady(/503 database away: .*it refuses our user a right: GRANT it \(42501, .*spool/)
  await service.acknowledges(200)
  await stage.asOwner(`GRANT INSERT ON sensor_readings TO ${ROLE}`)
  await recovers()
})

test('its password was changed', async () => {
  await stage.asOwner(`ALTER ROLE ${ROLE} PASSWORD 'second'`)
  await endSessions()
  await service.untilNotReady(/503 database away: .*it refuses the user or the password \(28P01\).*spool/)
  await service.acknowledges(200)
  await stage.asOwner(`ALTER ROLE ${ROLE} PASSWORD 'first'`)
  await recovers()
})

test('it may not log in any more', async () => {
  await stage.asOwner(`ALTER ROLE ${ROLE} NOLOGIN`)
  await endSessions()
  await service.untilNotReady(/503 database away: .*\(28000\).*spool/)
  await service.acknowledges(200)
  await stage.asOwner(`ALTER ROLE ${ROLE} LOGIN`)
  await recovers()
})

test('it has no connection left to open', async () => {
  await stage.asOwner(`ALTER ROLE ${ROLE} CONNECTION LIMIT 0`)
  await endSessions()
  await service.untilNotReady(/503 database away: .*all its connections are taken \(53300\).*spool/)
  await service.acknowledges(200)
  await stage.asOwner(`ALTER ROLE ${ROLE} CONNECTION LIMIT -1`)
  await recovers()
})

test('with one connection for everything it goes on', async () => {
  await stage.asOwner(`ALTER ROLE ${ROLE} CONNECTION LIMIT 1`)
  await endSessions()
  await service.acknowledges(500)
  await stage.asOwner(`ALTER ROLE ${ROLE} CONNECTION LIMIT -1`)
  await recovers()
})
