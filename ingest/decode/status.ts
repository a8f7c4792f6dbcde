import { z } from 'zod'
import { count, type HubState, hubState, hubStatus, shortText } from '../payloads.ts'
import { fieldProblem, optionalField, optionalSentAt } from './fields.ts'
import { parseJson } from './json.ts'
import { detailText, type Reject } from './reject.ts'
import { isAbsent, isRecord, type JsonRecord, quote } from './value.ts'

/** What a hub says of itself; a field that was absent or bad is left out. */
interface HubStatus {
  state: HubState
  firmware?: string
  /** Messages that wait on the hub. */
  queued?: number
  /** The hub's clock when it sent, epoch milliseconds. */
  sentAtMs?: number
  /** One line for each field that was ignored because it was bad. */
  notes: string[]
}

type DecodedStatus = { ok: true; status: HubStatus } | { ok: false; reject: Reject }

const STATUS_FIELDS = Object.keys(hubStatus.shape)
const compiledState = z.compile(hubState)
const compiledText = z.compile(shortText)
const compiledCount = z.compile(count)

/** Decodes a hub's status. Never throws. Only `state` can reject it: the other fields are ignored and noted if bad. */
export function decodeStatus(payload: Uint8Array, context: { receivedAtMs: number }): DecodedStatus {
  const json = parseJson(payload)
  if (!json.ok) return rejected('malformed', json.problem)
  const message = json.value
  if (!isRecord(message)) return rejected('malformed', `expected {"state": ...}, got ${quote(message)}`)
  if (STATUS_FIELDS.every((field) => isAbsent(message[field]))) {
    return rejected(
      'malformed',
      `expected {"state": ...}, got an object without any of ${STATUS_FIELDS.join(', ')}`,
    )
  }
  const state = compiledState.safeParse(message['state'])
  if (!state.success) {
    const expected = state.error.issues[0]?.message ?? 'expected a state'
    return rejected('invalid', fieldProblem('state', expected, message['state']))
  }
  return { ok: true, status: { state: state.data, ...details(message, context.receivedAtMs) } }
}

function rejected(reason: Reject['reason'], detail: string): DecodedStatus {
  return { ok: false, reject: { item: null, reason, detail: detailText(detail) } }
}

function details(message: JsonRecord, receivedAtMs: number): Omit<HubStatus, 'state'> {
  const notes: string[] = []
  const firmware = optionalField(compiledText, { path: 'firmware', value: message['firmware'] }, notes)
  const queued = optionalField(compiledCount, { path: 'queued', value: message['queued'] }, notes)
  const sentAtMs = optionalSentAt(message['sent_at'], receivedAtMs, notes)
  return {
    ...(firmware !== undefined && { firmware }),
    ...(queued !== undefined && { queued: queued + 0 }),
    ...(sentAtMs !== undefined && { sentAtMs }),
    notes,
  }
}
