/** docker-compose.yml beyond its schema: that what it says fits FrostGuard, PostgreSQL and docs/operations.md. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { startTestServer } from '../db/testing/test-server.ts'
import { readEvaluatorSettings } from '../service/evaluator-service.ts'
import { readServiceSettings, settingNames } from '../service/service.ts'
import { compose, composeText, interpolate, secondsOf, serviceOf } from './testing/compose.ts'
import { readDockerfile } from './testing/image.ts'
import { ROOT, readProjectFile } from './testing/project.ts'

const services = Object.entries(compose.services)
const operations = readProjectFile('docs/operations.md')
/** All containers are to be healthy within this time of a start, images built and pulled. */
const HEALTHY_SECONDS_MAX = 60
/** What a stop may take beside the drain: every part of it has a limit in service.ts and ingest/ingest.ts. */
const STOP_SECONDS = 15

const variables = new Set([...composeText.matchAll(/(?<!\$)\$\{(\w+)/g)].map((match) => match[1]))

/** Rows of the tables of docs/operations.md that begin with a name in code. */
const documented = new Map(
  [...operations.matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)].map(([, name, rest]) => [name, rest ?? '']),
)

describe.each(services)('%s', (name, service) => {
  test('has an image of a pinned version, from no other registry than the default', () => {
    const folder = service.build ?? ''
    const images = service.image
      ? [service.image]
      : readDockerfile(join(folder, 'Dockerfile'))
          .filter((instruction) => instruction.name === 'FROM')
          .map(({ value }) => value.split(' ')[0] ?? '')
    expect(images.length).toBeGreaterThan(0)
    for (const image of images) {
      expect(image).toMatch(/^(?:[a-z0-9-]+\/)?[a-z0-9-]+:v?\d+\.\d+[\w.-]*$/)
    }
  })

  test('has a health check that can pass soon after the start', () => {
    const { healthcheck } = service
    if (!healthcheck) throw new Error(`${name} has no health check`)
    expect(['CMD', 'CMD-SHELL']).toContain(healthcheck.test[0])
    expect(secondsOf(healthcheck.interval)).toBeLessThanOrEqual(5)
    expect(secondsOf(healthcheck.timeout)).toBeLessThanOrEqual(5)
    expect(secondsOf(healthcheck.start_period)).toBeLessThanOrEqual(HEALTHY_SECONDS_MAX)
    expect(healthcheck.retries).toBeGreaterThan(1)
  })

  test('starts again by itself, after what it needs is healthy', () => {
    expect(service.restart).toBe('unless-stopped')
    for (const [other, { condition }] of Object.entries(service.depends_on)) {
      expect(condition).toBe('service_healthy')
      // A service outside a profile cannot wait for one in it.
      for (const profile of serviceOf(other).profiles) expect(service.profiles).toContain(profile)
    }
  })

  test('is reached from this machine only, but for MQTT where one chooses', () => {
    for (const port of service.ports) {
      expect(interpolate(port, {})).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
      if (!port.endsWith(':1883')) expect(port).toMatch(/^127\.0\.0\.1:/)
    }
  })

  test('mounts what is there', () => {
    for (const volume of service.volumes) {
      const [source = ''] = volume.split(':')
      const isThere = source.startsWith('./') ? existsSync(join(ROOT, source)) : source in compose.volumes
      expect(isThere, volume).toBe(true)
    }
  })
})

test('every variable is documented, with its default', () => {
  expect(variables.size).toBeGreaterThan(0)
  for (const name of variables) expect([...documented.keys()], name).toContain(name)
  for (const [, name, fallback] of composeText.matchAll(/\$\{(\w+):-([^}]+)\}/g)) {
    expect(documented.get(name), name).toContain(`\`${fallback}\``)
  }
})

test('without a password nothing starts, and a sentence says what to do', () => {
  const password = serviceOf('postgres').environment['POSTGRES_PASSWORD'] ?? ''
  expect(() => interpolate(password, {})).toThrow('Put POSTGRES_PASSWORD into .env')
})

test('the evaluator of its own is started as its script does', () => {
  const { scripts } = JSON.parse(readProjectFile('package.json'))
  expect(scripts.evaluator).toBe(`exec ${serviceOf('evaluator').command.join(' ')}`)
})

test('the evaluator of its own has the database of FrostGuard, and settings that exist and are right', () => {
  const { environment, command } = serviceOf('evaluator')
  const given = Object.entries(environment)
  for (const [name, value] of given) expect(serviceOf('frostguard').environment[name]).toBe(value)
  const settings = given.map(([name, value]) => [name, interpolate(value, { POSTGRES_PASSWORD: 'secret' })])
  expect(() => readEvaluatorSettings(Object.fromEntries(settings))).not.toThrow()
  expect(existsSync(join(ROOT, command.at(-1) ?? ''))).toBe(true)
})

describe('FrostGuard in the stack', () => {
  const given = Object.fromEntries(
    Object.entries(serviceOf('frostguard').environment).map(([name, value]) => [
      name,
      interpolate(value, { POSTGRES_PASSWORD: 'secret' }),
    ]),
  )

  test('is given settings that exist and are right', () => {
    for (const name of Object.keys(given)) expect(settingNames()).toContain(name)
    expect(() => readServiceSettings(given)).not.toThrow()
  })

  test('reaches PostgreSQL through PgBouncer, and past it for migrations', () => {
    const pooled = new URL(given['DATABASE_URL'] ?? '')
    const direct = new URL(given['DATABASE_DIRECT_URL'] ?? '')
    const configuration = readProjectFile('deploy/pgbouncer/pgbouncer.ini')
    expect(`${pooled.hostname}:${pooled.port}`).toBe('pgbouncer:6432')
    expect(configuration).toMatch(new RegExp(`^listen_port = ${pooled.port}$`, 'm'))
    expect(configuration).toMatch(new RegExp(`^\\* = host=${direct.hostname} port=${direct.port}$`, 'm'))
    expect(direct.hostname).toBe('postgres')
    expect(direct.pathname).toBe(`/${serviceOf('postgres').environment['POSTGRES_DB']}`)
    expect(pooled.pathname).toBe(direct.pathname)
    for (const { username } of [pooled, direct]) {
      expect(username).toBe(serviceOf('postgres').environment['POSTGRES_USER'])
      expect(username).toBe(serviceOf('pgbouncer').environment['POSTGRES_USER'])
    }
  })

  test("PgBouncer's pool has room for the COPY lanes of two processes", () => {
    const size = /^default_pool_size = (\d+)$/m.exec(readProjectFile('deploy/pgbouncer/pgbouncer.ini'))?.[1]
    expect(Number(size)).toBeGreaterThan(2 * readServiceSettings(given).INGEST_LANES)
  })

  test('has time to commit what it holds when it is stopped', () => {
    const graceSeconds = secondsOf(serviceOf('frostguard').stop_grace_period ?? '0s')
    const drainSeconds = readServiceSettings(given).SHUTDOWN_DRAIN_MS / 1000
    expect(graceSeconds).toBeGreaterThanOrEqual(drainSeconds + STOP_SECONDS)
  })
})

describe("PostgreSQL's settings", () => {
  const settings = new Map(
    serviceOf('postgres')
      .command.filter((word) => word.startsWith('--'))
      .map((word) => word.slice(2).split('=', 2) as [string, string]),
  )

  test('are each documented with their reason', () => {
    for (const name of settings.keys()) expect([...documented.keys()], name).toContain(name)
  })

  test('are taken by a real server of the same version', async () => {
    const parameters = Object.fromEntries(
      [...settings].map(([name, value]) => [name, interpolate(value, {})]),
    )
    // The embedded server is built without LZ4, the image's is not.
    expect(parameters['wal_compression']).toBe('lz4')
    const server = await startTestServer({ parameters: { ...parameters, wal_compression: 'pglz' } })
    const client = new Client({ connectionString: server.url })
    try {
      await client.connect()
      const { rows } = await client.query<{ name: string; value: string }>(
        'SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name',
        [[...settings.keys()]],
      )
      const taken = Object.fromEntries(rows.map(({ name, value }) => [name, value]))
      const asShown = { wal_compression: 'pglz', idle_in_transaction_session_timeout: '1min' }
      expect(taken).toEqual({ ...parameters, ...asShown })
      const version = await client.query<{ server_version: string }>('SHOW server_version')
      expect(serviceOf('postgres').image).toBe(`postgres:${version.rows[0]?.server_version}-trixie`)
    } finally {
      await client.end()
      await server.remove()
    }
  })
})
