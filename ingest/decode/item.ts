import type { z } from 'zod'
import type { Source } from '../../db/copy/readings.ts'
import { canonicalDevEui } from '../../db/device-eui.ts'
import type { DeviceRecord } from '../../db/registry.ts'
import { TIME_EXPECTED } from '../payloads.ts'
import { isPlausibleTime, readTime } from '../time.ts'
import { clockProblem, fieldProblem } from './fields.ts'
import { detailText, type Reject, rejectOrigin } from './reject.ts'
import { elementPath } from './shape.ts'
import { isAbsent, isRecord, quote } from './value.ts'

/** What decoding needs to know beside the bytes. */
export interface DecodeContext {
  /** Wall clock at arrival, epoch milliseconds: the measure of a plausible time. */
  receivedAtMs: number
  /** The DevEUI (16 lower-case hex digits) that the topic names; absent on a hub's topic, where items name theirs. */
  impliedDevEui?: string
}

/** What every item has, whatever it says. */
export interface ItemOrigin {
  /** Index in the message. */
  item: number
  /** DevEUI, 16 lower-case hex digits. */
  device: string
  /** When it was measured, epoch milliseconds; null if the message does not say. */
  atMs: number | null
  /** Who gave the time, where that is not who has published. */
  source?: Source
  /** See `DecodedItem`. */
  found?: DeviceRecord | undefined
}

export interface WireItem {
  device?: string | null | undefined
  at?: number | string | null | undefined
}

/** How one kind of item is checked and read. */
export interface ItemRules<Wire extends WireItem, Item extends ItemOrigin> {
  /** The compiled schema of items from a hub, which must name their device. */
  fromHub: z.ZodType<Wire>
  /** The compiled schema of items from a device itself. */
  fromDevice: z.ZodType<Wire>
  /** What is wrong with the fields taken together, or null. */
  contentProblem: (wire: Wire) => string | null
  build: (origin: ItemOrigin, wire: Wire) => Item
}

/** Where an element of a message stands: for details, so only failures need it. */
interface Place {
  index: number
  /** See `FoundItems`. */
  listPath: string | null
}

/** One element of a message. */
interface Element extends Place {
  value: unknown
}

/** Decodes one element of a message. The first rule broken gives the reason: invalid, not_your_device, clock. */
export function decodeItem<Wire extends WireItem, Item extends ItemOrigin>(
  element: Element,
  context: DecodeContext,
  rules: ItemRules<Wire, Item>,
): Item | Reject {
  const { value, index } = element
  const { impliedDevEui, receivedAtMs } = context
  const parsed = (impliedDevEui === undefined ? rules.fromHub : rules.fromDevice).safeParse(value)
  if (!parsed.success) return rejectOf(element, context, 'invalid', schemaProblem(element, parsed.error))
  const wire = parsed.data
  const contentProblem = rules.contentProblem(wire)
  if (contentProblem !== null) {
    return rejectOf(element, context, 'invalid', pathed(pathOf(element), contentProblem))
  }
  const atMs = isAbsent(wire.at) ? null : readTime(wire.at)
  if (atMs === null && !isAbsent(wire.at)) {
    const problem = fieldProblem(fieldPath(element, 'at'), TIME_EXPECTED, wire.at)
    return rejectOf(element, context, 'invalid', problem)
  }

  const device = isAbsent(wire.device) ? impliedDevEui : canonicalDevEui(wire.device)
  if (device === undefined || (impliedDevEui !== undefined && device !== impliedDevEui)) {
    const expected = `expected the device of the topic (${impliedDevEui}) or none`
    const problem = fieldProblem(fieldPath(element, 'device'), expected, wire.device)
    return rejectOf(element, context, 'not_your_device', problem)
  }
  if (atMs !== null && !isPlausibleTime(atMs, receivedAtMs)) {
    const path = fieldPath(element, 'at')
    return rejectOf(element, context, 'clock', clockProblem({ path, value: wire.at, atMs, receivedAtMs }))
  }
  return rules.build({ item: index, device, atMs }, wire)
}

/** Only rejects have a reason. */
export function isReject(decoded: object): decoded is Reject {
  return 'reason' in decoded
}

function rejectOf(
  { value, index }: Element,
  { impliedDevEui }: DecodeContext,
  reason: Reject['reason'],
  detail: string,
): Reject {
  return { item: index, reason, detail: detailText(detail), ...rejectOrigin(value, impliedDevEui) }
}

/** Everything the schema found, each in the schema's own words with the path and the value. */
function schemaProblem(element: Element, error: z.ZodError): string {
  const { value } = element
  if (!isRecord(value)) return pathed(pathOf(element), `expected an object, got ${quote(value)}`)
  const problems = error.issues.map((issue) => {
    const field = String(issue.path[0])
    return fieldProblem(fieldPath(element, field), issue.message, value[field])
  })
  return problems.join('; ')
}

function pathOf({ listPath, index }: Place): string {
  return elementPath(listPath, index)
}

/** The path of a field of an element in details. */
export function fieldPath(place: Place, field: string): string {
  const path = pathOf(place)
  return path === '' ? field : `${path}.${field}`
}

function pathed(path: string, problem: string): string {
  return path === '' ? problem : `${path}: ${problem}`
}
