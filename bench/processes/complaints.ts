import { z } from 'zod'

/** pino's number for warnings; errors are above it. */
const WARN = 40
const COMPLAINTS_MAX = 5

const logLine = z.object({
  level: z.number(),
  msg: z.string().default(''),
  err: z.object({ message: z.string() }).optional(),
})

/** The warnings and errors of a log of JSON lines, each sentence once, the first few. */
export function complaintsOf(log: string): string[] {
  const found = new Set<string>()
  for (const line of log.split('\n')) {
    const complaint = complaintOf(line)
    if (complaint !== undefined) found.add(complaint)
  }
  return [...found].slice(0, COMPLAINTS_MAX)
}

/** What is not a line of the log, such as the trace of a crash, counts as well. */
function complaintOf(line: string): string | undefined {
  if (line.trim() === '') return undefined
  const parsed = logLine.safeParse(parseJson(line))
  if (!parsed.success) return line
  const { level, msg, err } = parsed.data
  if (level < WARN) return undefined
  return err === undefined ? msg : `${msg}: ${err.message}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
