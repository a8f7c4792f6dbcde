/**
 * docker-compose.yml as docker compose reads it: schema, references, variables. Its `config` needs no engine.
 * There is no npm package with a current schema of the Compose Specification, so this is Docker's plugin or Debian's
 * docker-compose.
 */
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ProgramResult, runProgram } from '../contract/testing/clients.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { composeText } from './testing/compose.ts'
import { ROOT, readProjectFile } from './testing/project.ts'

const PASSWORD = { POSTGRES_PASSWORD: 'secret' }

const program = [['docker', 'compose'], ['docker-compose']].find(
  ([command = '', ...args]) => spawnSync(command, [...args, 'version'], { stdio: 'ignore' }).status === 0,
)

let folder: string

beforeAll(async () => {
  folder = await makeTestFolder()
})
afterAll(() => removeTestFolder(folder))

/** Checks files that are merged, with all profiles, and without the .env of whoever runs the tests. */
async function config(texts: string[], env: Record<string, string>): Promise<ProgramResult> {
  const nothing = join(folder, 'empty.env')
  await writeFile(nothing, '')
  const [command = '', ...args] = [...(program ?? []), '--project-directory', ROOT, '--env-file', nothing]
  for (const [index, text] of texts.entries()) {
    const path = join(folder, `${index}.yml`)
    await writeFile(path, text)
    args.push('--file', path)
  }
  const profiles = { COMPOSE_PROFILES: 'archive,evaluator,monitoring' }
  const ours = { PATH: process.env['PATH'], HOME: folder, ...profiles, ...env }
  return runProgram(command, [...args, 'config', '--quiet'], { cwd: folder, env: ours })
}

describe.skipIf(!program)(
  `docker compose config${program ? '' : ' (SKIPPED: neither "docker compose" nor docker-compose is installed)'}`,
  () => {
    test('accepts it, with a password and nothing else', async () => {
      expect(await config([composeText], PASSWORD)).toMatchObject({ code: 0, stderr: '' })
    })

    test('accepts it with the override for TLS of docs/operations.md', async () => {
      const override = /^```yaml\n([\s\S]*?)^```$/m.exec(readProjectFile('docs/operations.md'))?.[1] ?? ''
      expect(override).toContain('MQTT_TLS_KEY')
      expect(await config([composeText, override], PASSWORD)).toMatchObject({ code: 0, stderr: '' })
    })

    test('says what is missing without a password', async () => {
      const { code, stderr } = await config([composeText], {})
      expect(code).not.toBe(0)
      expect(stderr).toContain('Put POSTGRES_PASSWORD into .env')
    })

    test.each([
      ['an unknown key', 'stop_grace_period:', 'stop_grace:'],
      ['an unknown volume', '- redis-data:', '- redis-date:'],
      ['an unknown service', 'pgbouncer:\n        condition', 'pgbounce:\n        condition'],
      ['an unknown condition', 'condition: service_healthy', 'condition: healthy'],
    ])('finds %s', async (_, from, to) => {
      expect(composeText).toContain(from)
      expect((await config([composeText.replace(from, to)], PASSWORD)).code).not.toBe(0)
    })
  },
)
