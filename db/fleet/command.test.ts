import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts'
import { exampleFleet } from './testing/example-fleet.ts'

const PROGRAM = resolve('db/cli/fleet-apply.ts')

let database: TestDatabase
let folder: string

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'frostguard-command-'))
  await writeFile(join(folder, 'fleet.json'), JSON.stringify(exampleFleet()))
  await writeFile(join(folder, 'bad.json'), '{"organization":{"slug":"demo"}}')
})

afterAll(async () => {
  await database?.drop()
  if (folder) await rm(folder, { recursive: true })
})

function run(...args: string[]): Promise<{ code: number | string; stdout: string; stderr: string }> {
  const options = { cwd: folder, env: { ...process.env, DATABASE_URL: database.url } }
  return new Promise((done) => {
    execFile(process.execPath, [PROGRAM, ...args], options, (error, stdout, stderr) =>
      done({ code: error?.code ?? 0, stdout, stderr }),
    )
  })
}

describe('the command fleet:apply', () => {
  it('applies a file and prints what it did', async () => {
    const dry = await run('fleet.json', '--dry-run')
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout).toContain('created device 24e124136b502f4a')
    const first = await run('fleet.json')
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.stdout).toContain('3 new secrets for hub-berlin-1, ns:chirpstack-1, operator:demo')
    expect(await run('fleet.json')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Nothing to change'),
    })
  })

  it('prints help', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage:') })
  })

  it.each([
    [['--nonsense'], "Unknown option '--nonsense'"],
    [['missing.json'], 'The fleet file missing.json cannot be read: there is no such file.'],
    [['bad.json'], 'bad.json has an error, nothing was changed:\n  organization.name: is missing\n'],
    [['fleet.json', '--rotate', 'hub-x'], '--rotate hub-x: nobody of organization "demo" has a secret'],
  ])('ends %j with exit code 1 and one message', async (args, message) => {
    const result = await run(...args)
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toContain(message)
    expect(result.stderr).not.toContain('    at ')
  })
})
