import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface ChildOptions {
  /** Path from the root of the project. */
  script: string
  args?: readonly string[]
  /** What Node itself is told. */
  nodeFlags?: readonly string[]
  /** Beside PATH and HOME: a child knows nothing else of our environment. */
  env?: Record<string, string>
}

/** A Node process that the benchmark has started. */
export interface Child {
  readonly pid: number
  /** Standard output and standard error so far. */
  readonly stdout: string
  readonly stderr: string
  /** Called for each message over the channel. */
  onMessage(listener: (message: unknown) => void): void
  /** Resolves to the exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** Resolves with standard output as soon as `isReady` says yes to it; rejects when the process ends before. */
  ready(isReady: (stdout: string) => boolean): Promise<string>
  /** SIGTERM, and SIGKILL when that takes too long; resolves when it has ended. */
  end(): Promise<void>
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const END_MS_MAX = 20_000

/** Starts a script of the project in a process of its own, which ends with `resources` at the latest. */
export function startChild(options: ChildOptions, resources: AsyncDisposableStack): Child {
  // After Ctrl-C nobody would end it.
  if (resources.disposed) throw new Error('The benchmark is ending.')
  const child = spawnNode(options)
  resources.defer(() => child.end())
  return child
}

function spawnNode({ script, args = [], nodeFlags = [], env = {} }: ChildOptions): Child {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env
  const flags = [...nodeFlags, '--import', `${ROOT}check-runtime.mjs`]
  const child = spawn(process.execPath, [...flags, ROOT + script, ...args], {
    env: { PATH, HOME, NODE_COMPILE_CACHE, ...env },
    // Not ours: a .env file there would change what is measured.
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const output = gatherOutput(child)
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  return {
    pid: child.pid ?? 0,
    ended,
    get stdout() {
      return output.stdout
    },
    get stderr() {
      return output.stderr
    },
    onMessage: (listener) => void child.on('message', listener),
    ready: (isReady) => waitUntilReady(child, output, { script, isReady, ended }),
    end: () => endChild(child, ended),
  }
}

interface Output {
  stdout: string
  stderr: string
}

function gatherOutput(child: ChildProcess): Output {
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (bytes: Buffer) => {
      output[name] += bytes.toString()
    })
  }
  return output
}

async function waitUntilReady(
  child: ChildProcess,
  output: Output,
  options: { script: string; isReady: (stdout: string) => boolean; ended: Promise<unknown> },
): Promise<string> {
  const { script, isReady, ended } = options
  const ready = Promise.withResolvers<string>()
  const look = () => {
    if (isReady(output.stdout)) ready.resolve(output.stdout)
  }
  child.stdout?.on('data', look)
  look()
  ended.then((code) =>
    ready.reject(new Error(`${script} ended with ${code} before it was ready:\n${output.stderr}`)),
  )
  try {
    return await ready.promise
  } finally {
    child.stdout?.off('data', look)
  }
}

async function endChild(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX)
  await ended
  clearTimeout(force)
}
