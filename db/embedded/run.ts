import { spawn } from 'node:child_process'

/** How much of a program's output is kept for an error message: its end. */
const OUTPUT_CHARACTERS_MAX = 8_192

/** A user of the operating system that runs PostgreSQL. */
export interface Account {
  uid: number
  gid: number
}

export interface RunOptions {
  /** Run as this user of the operating system instead of our own. */
  account?: Account | undefined
  stdin?: string
  /** Write the output to this file descriptor instead of returning it. */
  outputFd?: number
  timeoutMs: number
}

export interface RunResult {
  /** Exit code; null when the program was ended by a signal, which `timedOut` explains if it was ours. */
  code: number | null
  output: string
  timedOut: boolean
}

/**
 * Runs a program to its end, in a session of its own: Ctrl-C in our terminal must reach us only, or it would stop the
 * database before our drain. Rejects only when the program cannot be started at all.
 */
export function run(file: string, args: string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const out = options.outputFd ?? 'pipe'
    const child = spawn(file, args, {
      detached: true,
      cwd: '/',
      env: programEnvironment(),
      stdio: [options.stdin === undefined ? 'ignore' : 'pipe', out, out],
      ...(options.account && { uid: options.account.uid, gid: options.account.gid }),
    })
    let output = ''
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_CHARACTERS_MAX)
    }
    child.stdout?.on('data', collect)
    child.stderr?.on('data', collect)
    // A program that ends before it has read everything shows that in its exit code.
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.stdin)
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      child.kill('SIGKILL')
    }, options.timeoutMs)
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, output: output.trim(), timedOut })
    })
  })
}

/** Nothing of ours is inherited but what finds programs and libraries: PGPORT, LC_ALL and the like would interfere. */
function programEnvironment(): NodeJS.ProcessEnv {
  const { PATH, LD_LIBRARY_PATH, TMPDIR } = process.env
  return {
    PATH: PATH ?? '/usr/bin:/bin',
    LC_ALL: 'C',
    TZ: 'UTC',
    ...(LD_LIBRARY_PATH && { LD_LIBRARY_PATH }),
    ...(TMPDIR && { TMPDIR }),
  }
}
