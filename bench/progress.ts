import type { LoadNow } from './context.ts'

/** Where nothing can be overwritten, one line in so many milliseconds is enough. */
const LOG_LINE_MS = 10_000
const SECONDS_PER_MINUTE = 60
const CLEAR_LINE = '\r\x1b[2K'

/** What whoever waits sees on standard error. */
export interface Progress {
  /** A line that stays: what begins now. */
  line(text: string): void
  /** How the load of the last line goes: overwritten on a terminal, a line now and then elsewhere. */
  load(now: LoadNow): void
}

export function openProgress(options: {
  write: (text: string) => void
  isTerminal: boolean
  now?: () => number
}): Progress {
  const { write, isTerminal, now = Date.now } = options
  let stage = ''
  let loggedAt = now()
  let clear = ''
  return {
    line: (text) => {
      stage = text.trim()
      write(`${clear}${text}\n`)
      clear = ''
    },
    load: (load) => {
      const text = `    ${stage}: ${loadText(load)}`
      if (isTerminal) {
        clear = CLEAR_LINE
        write(`${clear}${text}`)
      } else if (now() - loggedAt >= LOG_LINE_MS) {
        loggedAt = now()
        write(`${text}\n`)
      }
    },
  }
}

function loadText({ readingsPerSecond, secondsLeft }: LoadNow): string {
  const rate = `${Math.round(readingsPerSecond).toLocaleString('en-US')} readings/s`
  return secondsLeft > 0 ? `${rate}, ${Math.ceil(secondsLeft)} s left` : `${rate}, ending`
}

/** How long the rest takes if it goes on as before; empty before anything is known. */
export function timeLeftText(options: { elapsedMs: number; done: number; of: number }): string {
  const { elapsedMs, done, of } = options
  if (done === 0) return ''
  const seconds = Math.round(((elapsedMs / done) * (of - done)) / 1_000)
  const text =
    seconds < SECONDS_PER_MINUTE ? `${seconds} s` : `${Math.ceil(seconds / SECONDS_PER_MINUTE)} min`
  return `about ${text} left`
}
