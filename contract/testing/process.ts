import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from '../../db/testing/poll.ts'
import { userEnvironment } from '../../db/testing/user-environment.ts'
import { HEAP_FLAGS } from '../../service/heap-flags.ts'
import { type ProgramResult, runProgram } from './clients.ts'
import type { StatusPage } from './status-page.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
export const READY = 'FrostGuard is ready'
/** What it says when it listens while its database is away. */
export const STARTED_AWAY = 'FrostGuard has started without its database'

/** Below the limit of a hook (vitest.config.ts), which would not say what was waited for. */
export const START_MS_MAX = 100_000

/** The program as a user starts it, in a process of its own. */
export interface ServiceProcess extends StatusPage {
  child: ChildProcess
  /** What it has printed so far. */
  readonly stdout: string
  readonly stderr: string
  /** An address that it has printed, by what stands before it. */
  printed(name: string): string
  readonly mqttPort: number
  signal(name: NodeJS.Signals): void
  /** Resolves to the exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals | null>
}

function environment(env: Record<string, string>): NodeJS.ProcessEnv {
  return userEnvironment({ MQTT_PORT: '0', MQTT_TLS_PORT: '0', HTTP_PORT: '0', ...env })
}

/**
 * Starts `main.ts`, with a DATA_DIR for this time unless one is given; returns when it says that it is ready, or what is
 * waited for instead.
 */
export async function startProcess(given: Record<string, string>, says = READY): Promise<ServiceProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'frostguard-test-'))
  const env = environment({ DATA_DIR: folder, ...given })
  const child = spawn(process.execPath, [...HEAP_FLAGS, `${ROOT}main.ts`], { env, cwd: '/' })
  child.once('close', () => rmSync(folder, { recursive: true, force: true }))
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (bytes: Buffer) => {
    output.stdout += bytes.toString()
  })
  child.stderr.on('data', (bytes: Buffer) => {
    output.stderr += bytes.toString()
  })
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  const hasStarted = () => {
    if (child.exitCode !== null) throw new Error(`It did not start:\n${output.stderr}`)
    return output.stdout.includes(says)
  }
  await until(`the service says "${says}"`, hasStarted, START_MS_MAX)
  const printed = (name: string) => {
    const line = output.stdout.split('\n').find((text) => text.startsWith(`${name}:`))
    if (line === undefined) throw new Error(`It has not printed where "${name}" is:\n${output.stdout}`)
    return line.slice(name.length + 1).trim()
  }
  return {
    child,
    ended,
    get stdout() {
      return output.stdout
    },
    get stderr() {
      return output.stderr
    },
    printed,
    get mqttPort() {
      return Number(new URL(printed('MQTT')).port)
    },
    // A connection that is kept may be closed by the service, after 5 seconds without a request, just as it is used again.
    get: (path) => fetch(new URL(path, printed('Status page')), { headers: { connection: 'close' } }),
    signal: (name) => void child.kill(name),
  }
}

/** Runs `main.ts` with settings that must stop it, with a DATA_DIR for this time. */
export async function runMain(given: Record<string, string>, cwd = '/'): Promise<ProgramResult> {
  const folder = mkdtempSync(join(tmpdir(), 'frostguard-test-'))
  const env = environment({ DATA_DIR: folder, ...given })
  try {
    return await runProgram(process.execPath, [...HEAP_FLAGS, `${ROOT}main.ts`], { env, cwd })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** `npm run fleet:apply -- ...` */
export function runFleetApply(args: readonly string[], env: Record<string, string>): Promise<ProgramResult> {
  return runProgram(process.execPath, [`${ROOT}db/cli/fleet-apply.ts`, ...args], {
    env: environment(env),
    cwd: '/',
  })
}
