/** `npm run simulate` as a program: its exit codes, its files and its end. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runProgram } from '../contract/testing/clients.ts'
import type { FleetFile } from '../contract/testing/fleet.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { until } from '../db/testing/poll.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { userEnvironment } from '../db/testing/user-environment.ts'
import { type SimulateHost, simulate } from '../simulators/command.ts'
import { parseSimulateLine } from '../simulators/command-line.ts'
import { readFleetPlan } from '../simulators/fleets/read-fleet.ts'
import { publishersOf } from '../simulators/publishers.ts'

const PROGRAM = fileURLToPath(new URL('./simulate.ts', import.meta.url))

let folder: string
let service: TestService
/** Where the fleet, its secrets and the broker are, as arguments. */
let place: string[]

beforeAll(async () => {
  folder = await makeTestFolder()
  service = await startTestService()
  const fleetPath = join(folder, 'fleet.json')
  const written = await run('--write-fleet', fleetPath, '--hubs', '2', '--sensors', '10', '--interval', '1')
  expect(written).toMatchObject({ code: 0, stderr: '' })
  expect(written.stdout).toContain(`npm run fleet:apply -- ${fleetPath}`)
  const file = JSON.parse(await readFile(fleetPath, 'utf8'))
  await service.applyFleet(file as FleetFile)
  const credentialsPath = join(folder, 'credentials.json')
  await writeCredentials(credentialsPath, publishersOf(readFleetPlan(file)))
  place = [
    fleetPath,
    '--credentials',
    credentialsPath,
    '--url',
    service.address('mqtt'),
    '--batch-seconds',
    '0',
  ]
})
afterAll(async () => {
  await service.close()
  await removeTestFolder(folder)
})

async function writeCredentials(path: string, usernames: readonly string[]): Promise<void> {
  const hubs = usernames.filter((name) => !name.includes(':')).map((name) => [name, service.secretOf(name)])
  const devices = usernames
    .filter((name) => name.includes(':'))
    .map((name) => [name.slice('device:'.length), service.secretOf(name)])
  await writeFile(
    path,
    JSON.stringify({ hubs: Object.fromEntries(hubs), devices: Object.fromEntries(devices) }),
  )
}

function run(...args: string[]) {
  const env = userEnvironment(service ? { DATABASE_URL: service.url } : {})
  return runProgram(process.execPath, [PROGRAM, ...args], { env, cwd: folder })
}

test('publishes, verifies, and leaves a ledger that finds what is changed afterwards', async () => {
  const ledgerPath = join(folder, 'ledger.ndjson')
  const ran = await run(...place, '--seconds', '2', '--ledger', ledgerPath, '--verify')
  expect(ran).toMatchObject({ code: 0, stderr: '' })
  expect(ran.stdout).toContain('The database equals the ledger.')

  const { rowCount } = await service.db.$client.query(
    `DELETE FROM sensor_readings WHERE (recorded_at, device_id) =
       (SELECT recorded_at, device_id FROM sensor_readings ORDER BY recorded_at LIMIT 1)`,
  )
  expect(rowCount).toBe(1)
  const again = await run('--verify-only', '--ledger', ledgerPath)
  expect(again).toMatchObject({ code: 1, stderr: '' })
  expect(again.stdout).toMatch(/missing: reading of [0-9a-f]{16} at .*: acknowledged, but not stored/)
  expect(again.stdout).toContain('The database differs from the ledger.')
  expect(await run(...place, '--ledger', ledgerPath)).toMatchObject({
    code: 1,
    stderr: `The ledger file ${ledgerPath} cannot be made: it is there already; name a new one.\n`,
  })
})

test('Ctrl-C, which comes twice, lets it deliver and verify', async () => {
  const env = userEnvironment({ DATABASE_URL: service.url })
  const child = spawn(process.execPath, [PROGRAM, ...place, '--verify'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      output += bytes.toString()
    })
  await until('it publishes', () => output.includes('Simulating'))
  child.kill('SIGINT')
  child.kill('SIGINT')
  const [code] = await once(child, 'close')
  expect(code, output).toBe(0)
  expect(output).toContain('Stopping: the hubs deliver what they still have.')
  expect(output).toContain('The database equals the ledger.')
})

test('a bad command line is one sentence and exit code 2', async () => {
  const { code, stdout, stderr } = await run('--fleet', 'x')
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^Unknown option '--fleet'\..*\n$/)
})

test('files that cannot be used are told as sentences', async () => {
  const host: SimulateHost = {
    print: () => {},
    useDatabase: async (action) => action(service.url),
    untilStopped: (action) => action(AbortSignal.abort()),
  }
  const refusal = (...args: string[]) => expect(simulate(parseSimulateLine(args), host)).rejects
  const [fleetPath = ''] = place
  await refusal('nowhere.json').toThrow(
    /^The fleet file nowhere\.json cannot be read: there is no such file or folder\.$/,
  )
  await refusal(fleetPath, '--credentials', 'nowhere.json').toThrow(
    /^The credentials file nowhere\.json cannot/,
  )
  await refusal('--write-fleet', fleetPath).toThrow(
    /cannot be written: it is there already; name a new one\.$/,
  )
  await refusal('--verify-only', '--ledger', 'nowhere').toThrow(/^The ledger file nowhere cannot be read/)
  const bare = join(folder, 'bare.json')
  await writeFile(bare, '{"hubs":{},"devices":{}}')
  await refusal(bare).toThrow(/^The fleet file cannot be used, at organization: /)
  await refusal(fleetPath, '--credentials', bare).toThrow(
    /^The credentials file has no secret for simulated-hub-0001, .*--rotate\.$/,
  )
  await writeFile(bare, '{"hubs":{"simulated-hub-0001":"wrong-')
  await refusal(fleetPath, '--credentials', bare).toThrow(
    /^The credentials file .*bare\.json is no JSON: expected what docs\/provisioning\.md describes\.$/,
  )
})
