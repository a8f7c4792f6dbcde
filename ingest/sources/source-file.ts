import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { SettingsError } from '../../settings.ts'

type SourceKind = 'chirpstack' | 'the-things-stack' | 'frostguard'

/** A broker of somebody else that we read from. */
export interface SourceConfig {
  /** Its name in the log, `/metrics` and `/readyz`. */
  key: string
  kind: SourceKind
  url: string
  username: string | undefined
  password: string | undefined
  /** Key of the network server whose uplinks it brings; undefined for kind frostguard. */
  networkServer: string | undefined
  /** As they are subscribed to, with the share group. */
  filters: readonly string[]
  /** 4 is MQTT 3.1.1. */
  protocolVersion: 4 | 5
  clientId: string
  sessionExpirySeconds: number
  /** PEM. */
  tlsCa: string | undefined
}

const SOURCES_MAX = 100
const QUOTED_MAX = 120
const DAY_SECONDS = 86_400
/** The largest that MQTT 5 knows; it means for ever. */
const SESSION_EXPIRY_SECONDS_MAX = 4_294_967_295
const PROTOCOLS: readonly string[] = ['mqtt:', 'mqtts:', 'ws:', 'wss:']

const KEY_EXPECTED = 'expected 1 to 64 of a-z, 0-9 and -'
const key = z.string(KEY_EXPECTED).regex(/^[a-z0-9][a-z0-9-]{0,63}$/, KEY_EXPECTED)
const URL_EXPECTED =
  'expected mqtt://host:port, or mqtts, ws or wss instead of mqtt, without username and password'
const TOPIC_EXPECTED = 'expected a topic filter of MQTT without $share: that is what share_group is for'
const SHARE_GROUP_EXPECTED = 'expected 1 to 64 characters without / + #'
const CLIENT_ID_EXPECTED = 'expected 1 to 128 characters without control characters'

const sourceSchema = z
  .strictObject({
    key,
    kind: z.enum(
      ['chirpstack', 'the-things-stack', 'frostguard'],
      'expected chirpstack, the-things-stack or frostguard',
    ),
    url: z.string(URL_EXPECTED).refine(isBrokerUrl, URL_EXPECTED),
    username: z.string().min(1).optional(),
    password: z.string().optional(),
    password_file: z.string().min(1).optional(),
    network_server: key.optional(),
    topics: z.array(z.string().refine(isFilter, TOPIC_EXPECTED)).min(1).optional(),
    share_group: z
      .string()
      .regex(/^[^/+#\p{Cc}]{1,64}$/u, SHARE_GROUP_EXPECTED)
      .optional(),
    protocol_version: z.enum(['3.1.1', '5'], 'expected "3.1.1" or "5"').optional(),
    client_id: z
      .string()
      .regex(/^[^\p{Cc}]{1,128}$/u, CLIENT_ID_EXPECTED)
      .optional(),
    session_expiry_seconds: z
      .int()
      .min(1)
      .max(SESSION_EXPIRY_SECONDS_MAX)
      .default(7 * DAY_SECONDS),
    tls_ca: z.string().min(1).optional(),
  })
  .superRefine(checkTogether)
const fileSchema = z.strictObject({ sources: z.array(sourceSchema).max(SOURCES_MAX) }).superRefine(checkApart)

type SourceEntry = z.output<typeof sourceSchema>

/**
 * Reads the file that INGEST_SOURCES_FILE names, and the files that it names: paths in it start from its folder. Throws a
 * `SettingsError` that names each field that is wrong, without a secret.
 */
export function readSources(path: string): SourceConfig[] {
  const result = fileSchema.safeParse(parse(path, read(path, 'it')), { reportInput: true })
  if (!result.success) {
    const lines = result.error.issues.map(
      (issue) => `  ${pathOf(issue.path)}: ${issue.message}${quote(issue.path, issue.input)}`,
    )
    throw wrong(path, `it cannot be used:\n${lines.join('\n')}\nWhat it may hold is in docs/lorawan.md.`)
  }
  return result.data.sources.map((source) => configOf(source, path))
}

function configOf(source: SourceEntry, path: string): SourceConfig {
  const { share_group: group, password_file: passwordFile, tls_ca: tlsCa } = source
  const topics = source.topics ?? topicsOf(source)
  const named = (name: string, field: string) =>
    read(resolve(dirname(path), name), `the ${field} of source "${source.key}"`, path)
  return {
    key: source.key,
    kind: source.kind,
    url: source.url,
    username: source.username,
    password: passwordFile === undefined ? source.password : named(passwordFile, 'password_file').trimEnd(),
    networkServer: source.network_server,
    filters: group === undefined ? topics : topics.map((topic) => `$share/${group}/${topic}`),
    protocolVersion: (source.protocol_version ?? (group === undefined ? '3.1.1' : '5')) === '5' ? 5 : 4,
    clientId: clientIdOf(source),
    sessionExpirySeconds: source.session_expiry_seconds,
    tlsCa: tlsCa === undefined ? undefined : named(tlsCa, 'tls_ca'),
  }
}

function clientIdOf({ key, client_id: id }: SourceEntry): string {
  return (id ?? `frostguard-${key}`).replaceAll('{hostname}', hostname())
}

/** What is read where the file names no topics. */
function topicsOf({ kind, username }: SourceEntry): readonly string[] {
  switch (kind) {
    case 'chirpstack':
      return ['up', 'join', 'status'].map((event) => `application/+/device/+/event/${event}`)
    case 'the-things-stack':
      // Its username is {application}@{tenant}, the level that all of its topics have.
      return ['up', 'join'].map((event) => `v3/${username}/devices/+/${event}`)
    case 'frostguard':
      return [
        ...['readings', 'doors', 'status'].map((channel) => `v1/hubs/+/${channel}`),
        ...['readings', 'doors'].map((channel) => `v1/devices/+/${channel}`),
      ]
  }
}

/** What cannot be said field by field. */
function checkTogether(source: SourceEntry, context: z.RefinementCtx): void {
  const refuse = (field: keyof SourceEntry, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message })
  const isLora = source.kind !== 'frostguard'
  if (isLora && source.network_server === undefined)
    refuse(
      'network_server',
      'expected the key of a network server of the fleet, for whose organization it speaks',
    )
  if (!isLora && source.network_server !== undefined)
    refuse('network_server', 'expected none: with kind frostguard the topic names who speaks')
  if (source.kind === 'the-things-stack' && source.username === undefined)
    refuse('username', 'expected {application}@{tenant}, as The Things Stack wants it')
  if (source.password !== undefined && source.password_file !== undefined)
    refuse('password_file', 'expected a password or a password_file, not both')
  if (source.username === undefined && (source.password ?? source.password_file) !== undefined)
    refuse('username', 'expected one beside a password')
  if (source.share_group === undefined) return
  if (source.protocol_version === '3.1.1')
    refuse('protocol_version', 'expected "5": shared subscriptions are of MQTT 5')
  if (source.client_id === undefined)
    refuse('client_id', 'expected one that no other process has, for example "frostguard-{hostname}"')
}

function checkApart({ sources }: { sources: SourceEntry[] }, context: z.RefinementCtx): void {
  const keys = new Set<string>()
  const sessions = new Set<string>()
  for (const [index, source] of sources.entries()) {
    const refuse = (field: keyof SourceEntry, message: string) =>
      context.addIssue({ code: 'custom', path: ['sources', index, field], message })
    const clientId = clientIdOf(source)
    const session = `${clientId} ${source.url}`
    if (keys.has(source.key))
      refuse('key', `expected a key that no other source has, got "${source.key}" twice`)
    else if (sessions.has(session))
      refuse('client_id', `expected one that no other source at this broker has, got "${clientId}" twice`)
    keys.add(source.key)
    sessions.add(session)
  }
}

function isBrokerUrl(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || !PROTOCOLS.includes(url.protocol)) return false
  return url.hostname !== '' && url.username === '' && url.password === ''
}

/** `#` is the whole of the last level, `+` the whole of a level. */
function isFilter(text: string): boolean {
  const levels = text.split('/')
  return (
    text.length > 0 &&
    levels[0] !== '$share' &&
    !/\p{Cc}/u.test(text) &&
    levels.every(
      (level, index) =>
        level === '+' || (level === '#' && index === levels.length - 1) || !/[+#]/.test(level),
    )
  )
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // What the parser says might repeat a secret.
    throw wrong(path, 'it is no JSON')
  }
}

function read(path: string, what: string, file = path): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw wrong(file, `${what} cannot be read (${path}: ${code})`)
  }
}

/** A password is not repeated, neither by itself nor within a URL. */
function quote(path: readonly PropertyKey[], value: unknown): string {
  if (path.at(-1) === 'password' || !['string', 'number', 'boolean'].includes(typeof value)) return ''
  const text = JSON.stringify(typeof value === 'string' ? value.replace(/:(?!\/\/)[\s\S]*@/, ':***@') : value)
  return `, got ${text.length <= QUOTED_MAX ? text : `${text.slice(0, QUOTED_MAX)}…`}`
}

function pathOf(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  return text === '' ? 'the top' : text.slice(1)
}

function wrong(path: string, sentence: string): SettingsError {
  return new SettingsError(`INGEST_SOURCES_FILE=${JSON.stringify(path)}: ${sentence}`)
}
