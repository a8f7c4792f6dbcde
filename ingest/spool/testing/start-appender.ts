import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { until } from '../../../db/testing/poll.ts'

const PROGRAM = fileURLToPath(new URL('./appender.ts', import.meta.url))

export interface AppenderOptions {
  folder: string
  firstId?: number
  batches?: number
  lanes?: number
  drains?: boolean
  /** A program with its arguments that runs the appender's command line. */
  under?: readonly string[]
}

export interface Appender {
  pid: number
  /** The ids that stand behind a word in what it has printed, in order. */
  ids(word: string): number[]
  /** Resolves when it has printed the word. */
  said(word: string): Promise<void>
  signal(name: NodeJS.Signals): void
  /** Resolves to its exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>
}

/** Starts appender.ts in a process of its own; killed after the test at the latest. */
export function startAppender(options: AppenderOptions): Appender {
  const { folder, firstId = 1, batches = 1, lanes = 1, drains = false, under = [] } = options
  const args = [folder, firstId, batches, lanes, drains ? 'drains' : 'no'].map(String)
  const [command = '', ...rest] = [...under, process.execPath, PROGRAM, ...args]
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (bytes: Buffer) => {
    stdout += bytes.toString()
  })
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes.toString()
  })
  // Whole lines only: it may have been killed within one.
  const lines = () => stdout.split('\n').slice(0, -1)
  const ids = (word: string) => lines().flatMap((line) => idsAfter(word, line))
  const signal = (name: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null)
      process.kill(ids('pid')[0] ?? child.pid ?? 0, name)
  }
  onTestFinished(() => signal('SIGKILL'))
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  return {
    pid: child.pid ?? 0,
    ids,
    said: (word) =>
      until(`the appender says "${word}"`, () => {
        if (lines().includes(word)) return true
        if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}:\n${stderr}`)
        return false
      }),
    signal,
    ended,
  }
}

function idsAfter(word: string, line: string): number[] {
  const [first, ...ids] = line.split(' ')
  return first === word ? ids.map(Number) : []
}
