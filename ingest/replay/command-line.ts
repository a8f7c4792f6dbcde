import { parseArgs } from 'node:util'
import type { RejectReason } from '../../db/batches/write-rejected.ts'
import { normalizeDevEui } from '../../db/device-eui.ts'
import type { RejectedFilter } from '../../db/replay/pages.ts'
import { REJECT_REASONS } from '../payloads.ts'
import { parseRfc3339 } from '../time.ts'

export const USAGE = `Usage: npm run rejected:replay -- [options]

Puts back rejected readings and door events that can be stored by now, for example after fleet:apply has added their
devices. Each is stored once and then rejected no longer; the others stay as they are. See docs/replay.md.

  --reason <reasons>     only those rejected as, for example unknown_device,not_your_device
  --client <username>    only those of this client, for example hub-1 or device:<DevEUI>; needed
                         for those of a client that no fleet had when they came
  --device <DevEUI>      only those of this device
  --organization <slug>  only those of this organization
  --since <time>         only what arrived then or later: RFC 3339 with its offset, or epoch milliseconds
  --until <time>         only what arrived before
  --limit <number>       look at so many items
  --dry-run              write nothing, only print what would become of them
  --help                 print this

The database is that of DATABASE_URL, else the embedded one of DATA_DIR. The service may be running.`

export interface CommandLine {
  filter: Omit<RejectedFilter, 'organizationId'>
  organization: string | undefined
  limit: number
  dryRun: boolean
}

/** Reads the arguments after the program's name; undefined = only help was asked for. Throws an `Error` with a sentence. */
export function parseCommandLine(args: readonly string[]): CommandLine | undefined {
  const { values } = parse(args)
  if (values.help) return undefined
  return {
    filter: {
      reasons: values.reason?.flatMap((text) => text.split(',')).map(reasonOf),
      client: nonEmpty('client', values.client),
      device: values.device === undefined ? undefined : deviceOf(values.device),
      sinceMs: values.since === undefined ? undefined : timeOf('since', values.since),
      untilMs: values.until === undefined ? undefined : timeOf('until', values.until),
    },
    organization: nonEmpty('organization', values.organization),
    limit: values.limit === undefined ? Number.POSITIVE_INFINITY : limitOf(values.limit),
    dryRun: values['dry-run'],
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        reason: { type: 'string', multiple: true },
        client: { type: 'string' },
        device: { type: 'string' },
        organization: { type: 'string' },
        since: { type: 'string' },
        until: { type: 'string' },
        limit: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    const [sentence = ''] = error instanceof Error ? error.message.split('. ') : [String(error)]
    throw new Error(
      `${sentence.replace(/\.$/, '')}. Run "npm run rejected:replay -- --help" for what is possible.`,
    )
  }
}

function reasonOf(text: string): RejectReason {
  const reason = REJECT_REASONS.find((known) => known === text.trim())
  if (reason === undefined) {
    throw new Error(
      `--reason ${text}: expected one or more of ${REJECT_REASONS.join(', ')}, with commas between.`,
    )
  }
  return reason
}

function deviceOf(text: string): string {
  const devEui = normalizeDevEui(text)
  if (devEui === null) {
    throw new Error(`--device ${text}: expected a DevEUI (16 hex digits, ":" or "-" between bytes allowed).`)
  }
  return devEui
}

function timeOf(option: 'since' | 'until', text: string): number {
  const atMs = /^\d{1,15}$/.test(text) ? Number(text) : parseRfc3339(text)
  if (atMs === null) {
    throw new Error(
      `--${option} ${text}: expected an RFC 3339 time with its offset, for example 2026-11-20T10:00:00Z, ` +
        'or epoch milliseconds.',
    )
  }
  return atMs
}

function limitOf(text: string): number {
  const items = Number(text)
  if (!/^\d+$/.test(text) || items < 1 || !Number.isSafeInteger(items)) {
    throw new Error(`--limit ${text}: expected a whole number of items from 1 on.`)
  }
  return items
}

function nonEmpty(option: 'client' | 'organization', text: string | undefined): string | undefined {
  if (text === '') throw new Error(`--${option} needs a name.`)
  return text
}
