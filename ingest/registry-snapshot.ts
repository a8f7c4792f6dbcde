import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { DeviceRecord, LogInRecord } from '../db/registry.ts'

/** Devices and who may log in, as the database had them. */
export interface RegistryContents {
  devices: Iterable<DeviceRecord>
  logIns: Iterable<LogInRecord>
}

const FORMAT = 'frostguard registry'
const VERSION = 1
/** Serialized at a time: a large fleet must not hold up the event loop. */
const CHUNK_RECORDS = 500

const headerSchema = z.object({ format: z.literal(FORMAT), version: z.number(), database: z.string() })
const footerSchema = z.object({ sha256: z.string() })
const idSchema = z.number().int()
const recordSchema = z.union([
  z.object({
    device: z.object({
      id: idSchema,
      devEui: z.string(),
      organizationId: idSchema,
      temperatureSource: z.string().optional(),
      assignments: z.array(
        z.object({
          unitId: idSchema.nullable(),
          siteId: idSchema.nullable(),
          // JSON has no infinity: it writes null for an open end.
          fromMs: z
            .number()
            .nullable()
            .transform((ms) => ms ?? Number.NEGATIVE_INFINITY),
          toMs: z
            .number()
            .nullable()
            .transform((ms) => ms ?? Number.POSITIVE_INFINITY),
        }),
      ),
    }) satisfies z.ZodType<DeviceRecord>,
  }),
  z.object({
    logIn: z.object({
      kind: z.enum(['hub', 'device', 'network_server', 'operator']),
      name: z.string(),
      id: idSchema,
      organizationId: idSchema,
      siteId: idSchema.nullable(),
      credentialHash: z.string(),
    }) satisfies z.ZodType<LogInRecord>,
  }),
])

/**
 * The text of a snapshot in pieces, made as they are asked for: a line that says what it is, a line for each record, a
 * line with the checksum of all before it. `database` names where the records came from.
 */
export function* encodeSnapshot(contents: RegistryContents, database: string): Generator<string> {
  const hash = createHash('sha256')
  const hashed = (text: string) => {
    hash.update(text)
    return text
  }
  yield hashed(line({ format: FORMAT, version: VERSION, database }))
  let chunk = ''
  let records = 0
  for (const record of recordsOf(contents)) {
    chunk += line(record)
    records += 1
    if (records % CHUNK_RECORDS > 0) continue
    yield hashed(chunk)
    chunk = ''
  }
  yield hashed(chunk)
  yield line({ sha256: hash.digest('hex') })
}

function* recordsOf({ devices, logIns }: RegistryContents) {
  for (const device of devices) yield { device }
  for (const logIn of logIns) yield { logIn }
}

/** Reads a snapshot of this database; throws, with what follows "it is not used: ", when it is torn, damaged, or something else. */
export function decodeSnapshot(
  text: string,
  database: string,
): { devices: DeviceRecord[]; logIns: LogInRecord[] } {
  const lines = text.split('\n')
  const header = parseLine(headerSchema, lines[0])
  if (!header) throw new Error('it is none')
  if (header.version !== VERSION) throw new Error(`it has version ${header.version}, expected ${VERSION}`)
  if (header.database !== database) throw new Error(`it is of ${header.database}, expected ${database}`)
  // After the last newline there is nothing.
  const footer = lines.at(-1) === '' ? parseLine(footerSchema, lines.at(-2)) : undefined
  if (!footer) throw new Error('its end is missing')
  const body = text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1)
  if (createHash('sha256').update(body).digest('hex') !== footer.sha256)
    throw new Error('its bytes are damaged')
  return decodeRecords(lines.slice(1, -2))
}

function decodeRecords(lines: readonly string[]): { devices: DeviceRecord[]; logIns: LogInRecord[] } {
  const devices: DeviceRecord[] = []
  const logIns: LogInRecord[] = []
  for (const text of lines) {
    const record = parseLine(recordSchema, text)
    if (!record) throw new Error('it has a record of another kind')
    if ('device' in record) devices.push(record.device)
    else logIns.push(record.logIn)
  }
  return { devices, logIns }
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`
}

function parseLine<T>(schema: z.ZodType<T>, text: string | undefined): T | undefined {
  try {
    return schema.parse(JSON.parse(text ?? ''))
  } catch {
    return undefined
  }
}
