import { parseArgs } from 'node:util'
import { z } from 'zod'
import { integerSetting } from '../settings.ts'

/** An option of a command: how it is written, what it takes and what it means. */
interface Option<S extends z.ZodType = z.ZodType> {
  short?: string
  /** What stands for its value in the help; an option without one is a flag. */
  value?: string
  help: string
  /** Over the text given, undefined where it is absent; over true or undefined for a flag. */
  schema: S
}

export type OptionShape = Record<string, Option>
export type OptionValues<S extends OptionShape> = { [K in keyof S]: z.output<S[K]['schema']> }

/** The command line is wrong. The message names the option, repeats its value and says what was expected. */
export class OptionError extends Error {
  override name = 'OptionError'
}

/** Reads the options of a command; positional arguments are refused. Throws an `OptionError`. */
export function parseOptions<S extends OptionShape>(
  command: string,
  shape: S,
  args: readonly string[],
): OptionValues<S> {
  const given = readArguments(command, shape, args)
  const schemas = Object.entries(shape).map(([name, { schema }]) => [name, schema])
  const result = z.object(Object.fromEntries(schemas)).safeParse(given)
  if (result.success) return result.data as OptionValues<S>
  const lines = result.error.issues.map((issue) => {
    const name = String(issue.path[0])
    return `--${name}=${given[name] ?? ''}: ${issue.message}`
  })
  throw new OptionError(`${lines.join('\n')}\n${seeHelp(command)}`)
}

function readArguments(
  command: string,
  shape: OptionShape,
  args: readonly string[],
): Record<string, unknown> {
  const options = Object.entries(shape).map(([name, { short, value }]) => [
    name,
    { type: value === undefined ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) },
  ])
  try {
    return parseArgs({ args: [...args], options: Object.fromEntries(options), strict: true }).values
  } catch (error) {
    const sentence = error instanceof Error ? error.message.split('. ')[0] : String(error)
    throw new OptionError(`${sentence}. ${seeHelp(command)}`)
  }
}

function seeHelp(command: string): string {
  const words = ['npm run bench --', command, '--help'].filter((word) => word !== '')
  return `"${words.join(' ')}" lists the options.`
}

/** A line for each option. */
export function describeOptions(shape: OptionShape): string {
  const names = Object.entries(shape).map(([name, { short, value }]) => {
    const long = `--${name}${value === undefined ? '' : ` ${value}`}`
    return short === undefined ? `      ${long}` : `  -${short}, ${long}`
  })
  const width = Math.max(...names.map((name) => name.length)) + 2
  return Object.values(shape)
    .map(({ help }, index) => `${(names[index] ?? '').padEnd(width)}${help}`)
    .join('\n')
}

interface IntegerOptionBase {
  short?: string
  value: string
  help: string
  min: number
  max: number
  unit: string
}

/** A whole number between two bounds, both included. */
export function integerOption(options: IntegerOptionBase & { default: number }) {
  const { short, value, help } = options
  return { ...(short === undefined ? {} : { short }), value, help, schema: integerSetting(options) }
}

/** The same, which may be absent. */
export function optionalIntegerOption(options: IntegerOptionBase) {
  const option = integerOption({ ...options, default: options.min })
  return { ...option, schema: option.schema.unwrap().optional() }
}

/** Any text. */
export function textOption(options: { short?: string; value: string; help: string; default: string }) {
  const { default: absent, ...option } = options
  return { ...option, schema: z.string().default(absent) }
}

/** Any text, or none. */
export function optionalTextOption(options: { short?: string; value: string; help: string }) {
  return { ...options, schema: z.string().optional() }
}

export function flagOption(help: string) {
  return { help, schema: z.boolean().default(false) }
}

export const helpOption = flagOption('this text')
