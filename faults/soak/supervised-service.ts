import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Metrics, parseMetrics } from '../../bench/processes/metrics.ts'
import { userEnvironment } from '../../db/testing/user-environment.ts'
import { HEAP_FLAGS } from '../../service/heap-flags.ts'

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url))
const READY = 'FrostGuard is ready'
const RESTART_MS = 200
const STOP_MS_MAX = 60_000
const READY_MS_MAX = 120_000
const METRICS_MS_MAX = 2_000
const POLL_MS = 10
/** How a process ends that was stopped or killed by us. */
const ASKED_FOR = ['0', 'SIGKILL']

/**
 * The service in a process of its own, started again whenever it ends while it should run. Modes: `down` (not wanted, or
 * between two processes), `starting`, and `ready` from its announcement to its end.
 */
export class SupervisedService {
  mode: 'down' | 'starting' | 'ready' = 'down'
  /** Ends of a ready service that nobody asked for. */
  readonly crashes: string[] = []
  /** Starts that ended by themselves, as they do while the database is away for long. */
  failedStarts = 0
  starts = 0
  readonly #env: Record<string, string>
  readonly #httpPort: number
  readonly #log: WriteStream
  #child: ChildProcess | undefined
  #isWanted = false
  #running: Promise<void> | undefined
  readonly #killChild = () => void this.#child?.kill('SIGKILL')

  constructor(options: { env: Record<string, string>; httpPort: number; logPath: string }) {
    this.#env = options.env
    this.#httpPort = options.httpPort
    this.#log = createWriteStream(options.logPath, { flags: 'a' })
    process.once('exit', this.#killChild)
  }

  start(): void {
    this.#isWanted = true
    this.#running ??= this.#run()
  }

  /** Sends the signal and resolves when the process has ended; false when there was none just then. */
  async end(name: 'SIGKILL' | 'SIGTERM'): Promise<boolean> {
    this.#isWanted = false
    const child = this.#child
    const isSignalled = child?.kill(name) ?? false
    const limit = new AbortController()
    const late = sleep(STOP_MS_MAX, undefined, { signal: limit.signal }).then(
      () => {
        this.crashes.push(`it had not ended ${STOP_MS_MAX} ms after ${name}`)
        child?.kill('SIGKILL')
      },
      () => {},
    )
    await this.#running
    limit.abort()
    await late
    this.#running = undefined
    return isSignalled
  }

  /** Throws when the service is not ready in time. */
  async ready(): Promise<void> {
    const deadline = performance.now() + READY_MS_MAX
    while (this.mode !== 'ready') {
      if (performance.now() > deadline) throw new Error(`The service was not ready in ${READY_MS_MAX} ms.`)
      await sleep(POLL_MS)
    }
  }

  /** The values on /metrics by their name and labels; undefined when the service does not answer. */
  async metrics(): Promise<Metrics | undefined> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#httpPort}/metrics`, {
        signal: AbortSignal.timeout(METRICS_MS_MAX),
      })
      return parseMetrics(await response.text())
    } catch {
      return undefined
    }
  }

  /** Ends everything. */
  async close(): Promise<void> {
    await this.end('SIGTERM')
    process.off('exit', this.#killChild)
    this.#log.end()
    await once(this.#log, 'finish')
  }

  async #run(): Promise<void> {
    while (this.#isWanted) {
      const end = await this.#live()
      if (!this.#isWanted) {
        if (end.wasReady && !ASKED_FOR.includes(end.by))
          this.crashes.push(`it was stopped and ended with ${end.by}`)
        return
      }
      if (end.wasReady) this.crashes.push(`it ended by itself with ${end.by}`)
      else this.failedStarts += 1
      await sleep(RESTART_MS)
    }
  }

  /** One process, from its start to its end. */
  async #live(): Promise<{ wasReady: boolean; by: string }> {
    this.starts += 1
    this.#log.write(`--- start ${this.starts} at ${new Date().toISOString()}\n`)
    const child = spawn(process.execPath, [...HEAP_FLAGS, MAIN], {
      env: userEnvironment(this.#env),
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    this.mode = 'starting'
    child.stderr.pipe(this.#log, { end: false })
    let printed = ''
    child.stdout.on('data', (bytes: Buffer) => {
      this.#log.write(bytes)
      printed += bytes.toString()
      if (this.mode === 'starting' && printed.includes(READY)) this.mode = 'ready'
    })
    const [code, signal] = await once(child, 'close')
    const wasReady = printed.includes(READY)
    this.mode = 'down'
    this.#child = undefined
    this.#log.write(`--- ended with ${code ?? signal} at ${new Date().toISOString()}\n`)
    return { wasReady, by: String(code ?? signal) }
  }
}
