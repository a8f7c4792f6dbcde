import { existsSync } from 'node:fs'
import { loadEnvFile } from 'node:process'
import { z } from 'zod'

/** The settings that a part reads from the environment: name → zod schema over a string (or its absence). */
export type SettingsShape = Record<string, z.ZodType>

/** A setting in the environment is wrong. The message names it, repeats its value and says what was expected. */
export class SettingsError extends Error {
  override name = 'SettingsError'
}

/** Reads `.env` in the current folder, if there is one; variables already set keep their values. */
export function readEnvironment(): NodeJS.ProcessEnv {
  if (existsSync('.env')) loadEnvFile('.env')
  return process.env
}

/**
 * Checks the environment against the settings of one or more parts. An empty variable counts as absent.
 * Throws a `SettingsError` that lists every bad setting.
 */
export function parseSettings<S extends SettingsShape>(shape: S, env: NodeJS.ProcessEnv) {
  const given = Object.fromEntries(
    Object.keys(shape).map((name) => [name, env[name] === '' ? undefined : env[name]]),
  )
  const result = z.object(shape).safeParse(given)
  if (result.success) return result.data
  const lines = result.error.issues.map((issue) => {
    const name = String(issue.path[0])
    return `  ${name}=${quote(name, given[name])}: ${issue.message}`
  })
  throw new SettingsError(
    `Bad settings in the environment or .env:\n${lines.join('\n')}\nCorrect them, or remove them to use the defaults.`,
  )
}

function quote(name: string, value: string | undefined): string {
  if (value === undefined) return '(not set)'
  return /URL|PASSWORD|SECRET/.test(name) ? value.replace(/:[^:@/]+@/, ':***@') : JSON.stringify(value)
}

/** A whole number between two bounds, written in decimal digits. */
export function integerSetting(options: { min: number; max: number; default: number; unit: string }) {
  const { min, max, unit } = options
  const expected = `expected a whole number of ${unit} from ${min} to ${max}`
  return z
    .string()
    .regex(/^\d+$/, expected)
    .transform(Number)
    .pipe(z.number().min(min, expected).max(max, expected))
    .default(options.default)
}

/** A TCP port; 0 asks the system for a free one. */
export function portSetting() {
  const expected = 'expected a TCP port from 0 to 65535 (0 = any free port)'
  return z
    .string()
    .regex(/^\d{1,5}$/, expected)
    .transform(Number)
    .pipe(z.number().max(65_535, expected))
}

/** How much is logged, as JSON lines on standard error. */
export const logSettings = {
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'expected one of trace, debug, info, warn, error, fatal, silent',
    })
    .default('info'),
}
