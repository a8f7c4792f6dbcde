import { readFile } from 'node:fs/promises'
import type { z } from 'zod'
import { FleetError, type Issue, throwIssues } from './fleet-error.ts'
import { type Fleet, fleetSchema } from './fleet-file.ts'

const VALUE_LENGTH_MAX = 60

/** Reads and checks the form of a fleet file. Throws a `FleetError` that lists everything that is wrong in it. */
export async function readFleet(path: string): Promise<Fleet> {
  return parseFleet(await readText(path), path)
}

/** Checks the form of a fleet file; `source` names it in messages. */
export function parseFleet(json: string, source: string): Fleet {
  const result = fleetSchema.safeParse(parseJson(json, source), { reportInput: true })
  if (result.success) return result.data
  throwIssues(source, result.error.issues.map(toIssue))
  throw result.error
}

async function readText(path: string): Promise<string> {
  try {
    const bytes = await readFile(path)
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    const reason = error instanceof TypeError ? 'it is not UTF-8' : describe(error)
    throw new FleetError(`The fleet file ${path} cannot be read: ${reason}.`, { cause: error })
  }
}

function describe(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EISDIR') return 'it is a folder'
  return error instanceof Error ? error.message : String(error)
}

function parseJson(json: string, source: string): unknown {
  try {
    return JSON.parse(json)
  } catch (error) {
    throw new FleetError(`The fleet file ${source} is not JSON: ${describe(error)}.`, { cause: error })
  }
}

function toIssue(issue: z.core.$ZodIssue): Issue {
  return { path: formatPath(issue.path), message: `${expectation(issue)}${given(issue)}` }
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.input === undefined) return 'is missing'
  if (issue.code === 'invalid_type') return `must be ${withArticle(issue.expected)}`
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`
  if (issue.code === 'invalid_union' && 'options' in issue) {
    return `must be one of ${(issue.options as readonly unknown[]).join(', ')}`
  }
  return issue.message
}

function withArticle(type: string): string {
  if (type === 'int') return 'a whole number'
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`
}

/** Repeats what was given where that is one value; an object would say little. */
function given({ input, code }: z.core.$ZodIssue): string {
  const value = code === 'invalid_union' && input instanceof Object ? undefined : input
  if (value === undefined || value === null || typeof value === 'object') return ''
  const shown = JSON.stringify(value)
  return `, not ${shown.length > VALUE_LENGTH_MAX ? `${shown.slice(0, VALUE_LENGTH_MAX)}…` : shown}`
}

function formatPath(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'the file'
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '')
}
