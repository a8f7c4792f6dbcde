import { parseJson } from '../json.ts'
import { isRecord, quote } from '../value.ts'
import { readChirpStack } from './chirpstack.ts'
import { readThingsStack } from './the-things-stack.ts'
import type { LoraServer, ParsedUplink } from './types.ts'

const READERS = { chirpstack: readChirpStack, things_stack: readThingsStack } as const

/** Reads the payload of an `up` topic of this server. Never throws. */
export function parseUplink(server: LoraServer, payload: Uint8Array): ParsedUplink {
  const json = parseJson(payload)
  if (!json.ok) return { ok: false, reason: 'malformed', detail: json.problem }
  if (!isRecord(json.value)) {
    return { ok: false, reason: 'malformed', detail: `expected an uplink, got ${quote(json.value)}` }
  }
  return READERS[server](json.value)
}
