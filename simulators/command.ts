import { readFile, writeFile } from 'node:fs/promises'
import type { RunLine, SimulateLine, WriteFleetLine } from './command-line.ts'
import { SIMULATE_USAGE } from './command-line.ts'
import { generateFleet } from './fleets/generate-fleet.ts'
import { readCredentials, readFleetPlan } from './fleets/read-fleet.ts'
import { mqttLinks } from './hub/mqtt-link.ts'
import { createJournal } from './ledger/journal.ts'
import { Ledger } from './ledger/ledger.ts'
import { readLedger } from './ledger/read-ledger.ts'
import type { LedgerSubject } from './ledger/subject.ts'
import { devicesOf, publishersOf, requireSecrets } from './publishers.ts'
import { type RunOptions, runSimulators } from './run.ts'
import { formatRunSummary } from './run-summary.ts'
import type { FleetPlan, PublisherName } from './types.ts'
import { formatBooks, provesNothing } from './verify/format-books.ts'
import { databaseNowMs, verifyLedger } from './verify/verify.ts'

const READINGS_PER_MESSAGE_MAX = 50
const IN_FLIGHT_MAX = 8
const BUFFER_MESSAGES_MAX = 10_000
const DRAIN_SECONDS = 30

/** What the command needs of the program that it is part of. */
export interface SimulateHost {
  print: (text: string) => void
  /** Runs an action on the database of the environment; undefined when that failed and has been said. */
  useDatabase: <Result>(action: (url: string) => Promise<Result>) => Promise<Result | undefined>
  /** Runs an action that is to end when the user wants it to. */
  untilStopped: <Result>(action: (stop: AbortSignal) => Promise<Result>) => Promise<Result>
}

/** Does what a command line says; returns the exit code. Throws an `Error` with a sentence. */
export async function simulate(line: SimulateLine, host: SimulateHost): Promise<number> {
  switch (line.mode) {
    case 'help':
      host.print(SIMULATE_USAGE)
      return 0
    case 'write-fleet':
      return await writeFleet(line, host)
    case 'verify-only':
      return await verify(await readLedger(line.ledgerPath), host)
    case 'run':
      return await run(line, host)
  }
}

async function writeFleet(line: WriteFleetLine, { print }: SimulateHost): Promise<number> {
  const { path, hubs, sensorsPerHub, intervalSeconds, loraPercent, seed } = line
  const fleet = generateFleet({ hubs, sensorsPerHub, intervalSeconds, loraPercent, seed })
  await writeFile(path, `${JSON.stringify(fleet, null, 2)}\n`, { flag: 'wx' }).catch((error: unknown) => {
    throw new Error(`The fleet file ${path} cannot be written: ${reasonOf(error)}.`, { cause: error })
  })
  print(`${path}: ${hubs} hubs with ${sensorsPerHub} sensors each. Next: npm run fleet:apply -- ${path}`)
  return 0
}

async function run(line: RunLine, host: SimulateHost): Promise<number> {
  const fleet = readFleetPlan(await readJson('fleet', line.fleetPath))
  const secrets = readCredentials(await readJson('credentials', line.credentialsPath))
  requireSecrets(publishersOf(fleet), secrets)
  const startedAtMs = line.verify ? await host.useDatabase(databaseNowMs) : Date.now()
  if (startedAtMs === undefined) return 1
  const subject = subjectOf(fleet, startedAtMs)
  const journal = line.ledgerPath === undefined ? undefined : openJournal(line.ledgerPath, subject)
  const ledger = new Ledger(subject, journal)
  try {
    await host.untilStopped(async (stop) => {
      host.print(`Simulating ${fleet.organization} against ${line.url}, seed ${line.seed}. Ctrl-C stops it.`)
      const options = runOptions(line, { fleet, secrets, ledger, stop, print: host.print })
      host.print(formatRunSummary(await runSimulators(options), ledger))
    })
  } finally {
    journal?.close()
  }
  return line.verify ? await verify(ledger, host) : 0
}

function runOptions(
  line: RunLine,
  parts: Pick<RunOptions, 'fleet' | 'ledger' | 'stop' | 'print'> & { secrets: Map<PublisherName, string> },
): RunOptions {
  const { url, seed, rates, speed, seconds, batchSeconds, loraFormat } = line
  const limits = {
    readingsPerMessageMax: READINGS_PER_MESSAGE_MAX,
    batchMs: batchSeconds * 1_000,
    inFlightMax: IN_FLIGHT_MAX,
    bufferMessagesMax: BUFFER_MESSAGES_MAX,
  }
  return {
    ...parts,
    url,
    seed,
    rates,
    speed,
    seconds,
    limits,
    loraFormat,
    openLink: mqttLinks(url),
    drainSeconds: DRAIN_SECONDS,
  }
}

async function verify(ledger: Ledger, { print, useDatabase }: SimulateHost): Promise<number> {
  const books = await useDatabase((url) => verifyLedger(url, ledger))
  if (!books) return 1
  print(formatBooks(books))
  return books.isOff || provesNothing(books) ? 1 : 0
}

function subjectOf(fleet: FleetPlan, startedAtMs: number): LedgerSubject {
  const { organization } = fleet
  return { organization, devices: devicesOf(fleet), clients: publishersOf(fleet), startedAtMs }
}

function openJournal(path: string, subject: LedgerSubject) {
  try {
    return createJournal(path, subject)
  } catch (error) {
    throw new Error(`The ledger file ${path} cannot be made: ${reasonOf(error)}.`, { cause: error })
  }
}

/** What a parser says of a credentials file might repeat a secret, so it is left out. */
async function readJson(what: 'fleet' | 'credentials', path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`The ${what} file ${path} cannot be read: ${reasonOf(error)}.`, { cause: error })
  })
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`The ${what} file ${path} is no JSON: expected what docs/provisioning.md describes.`)
  }
}

const REASONS: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EEXIST: 'it is there already; name a new one',
  EACCES: 'that is not permitted',
  EISDIR: 'it is a folder',
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  return REASONS[code] ?? code
}
