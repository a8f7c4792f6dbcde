import { type Logger, pino } from 'pino'

/** Writes a line that another pino has made into this log. */
export function relayLine(log: Logger, line: string): void {
  const { level, msg, time: _time, pid: _pid, hostname: _hostname, ...fields } = JSON.parse(line) as Line
  const name = pino.levels.labels[level]
  if (isLevel(name)) log[name](fields, msg)
}

interface Line {
  level: number
  msg: string
  time: unknown
  pid: unknown
  hostname: unknown
}

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

function isLevel(name: string | undefined): name is Level {
  return name !== undefined
}
