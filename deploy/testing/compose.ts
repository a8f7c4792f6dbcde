import { parse } from 'yaml'
import { z } from 'zod'
import { readProjectFile } from './project.ts'

/** Strict: a key that is not known here is a mistake, or one that the tests below do not look at yet. */
const serviceSchema = z.strictObject({
  image: z.string().optional(),
  build: z.string().optional(),
  profiles: z.array(z.string()).default([]),
  restart: z.string().optional(),
  environment: z.record(z.string(), z.string()).default({}),
  command: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.string() })).default({}),
  stop_grace_period: z.string().optional(),
  shm_size: z.string().optional(),
  init: z.boolean().optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()),
      interval: z.string(),
      timeout: z.string(),
      retries: z.number(),
      start_period: z.string(),
    })
    .optional(),
})
const composeSchema = z.strictObject({
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.unknown()),
})
export type ComposeService = z.output<typeof serviceSchema>

export const composeText = readProjectFile('docker-compose.yml')
/** What docker-compose.yml says, in the forms of its specification that it uses. */
export const compose = composeSchema.parse(parse(composeText))

export function serviceOf(name: string): ComposeService {
  const service = compose.services[name]
  if (!service) throw new Error(`docker-compose.yml has no service ${name}`)
  return service
}

/** Replaces `${NAME}`, `${NAME:-default}` and `${NAME:?sentence}` as docker compose does, and `$$` by `$`. */
export function interpolate(text: string, variables: Record<string, string>): string {
  return text.replaceAll(/\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})/g, (_, name, kind, rest) => {
    if (name === undefined) return '$'
    const value = variables[name]
    if (value) return value
    if (kind === '-') return rest
    throw new Error(`${name} is not set${rest ? `: ${rest}` : ''}`)
  })
}

/** Seconds of a duration such as `30s` or `2m`. */
export function secondsOf(duration: string): number {
  const match = /^(\d+)(s|m)$/.exec(duration)
  if (!match) throw new Error(`Expected a duration such as 30s or 2m, got ${duration}`)
  return Number(match[1]) * (match[2] === 'm' ? 60 : 1)
}
