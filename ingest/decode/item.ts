import type { z } from 'zod'
import type { Source } from '../../db/copy/readings.ts'
import { canonicalDevEui } from '../../db/device-eui.ts'
import { TIME_EXPECTED } from '../payloads.ts'
import { isPlausibleTime, readTime } from '../time.ts'
import { clockProblem, fieldProblem } from './fields.ts'
import { detailText, type Reject, rejectOrigin } from './reject.ts'
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

/** One element of a message and where it stands. */
interface Element {
  value: unknown
  index: number
  /** The path of an element in details, for example `readings[3]`; empty for a single item. Only failures need it. */
  elementPath: (index: number) => string
}

type DecodedItem<Item> = { ok: true; item: Item } | { ok: false; reject: Reject }

/** Decodes one element of a message. The first rule broken gives the reason: invalid, not_your_device, clock. */
export function decodeItem<Wire extends WireItem, Item extends ItemOrigin>(
  element: Element,
  context: DecodeContext,
  rules: ItemRules<Wire, Item>,
): DecodedItem<Item> {
  const { value, index } = element
  const { impliedDevEui, receivedAtMs } = context
  const reject = (reason: Reject['reason'], detail: string): DecodedItem<Item> => ({
    ok: false,
    reject: { item: index, reason, detail: detailText(detail), ...rejectOrigin(value, impliedDevEui) },
  })
  const parsed = (impliedDevEui === undefined ? rules.fromHub : rules.fromDevice).safeParse(value)
  if (!parsed.success) return reject('invalid', schemaProblem(element, parsed.error))
  const wire = parsed.data
  const contentProblem = rules.contentProblem(wire)
  if (contentProblem !== null) return reject('invalid', pathed(pathOf(element), contentProblem))
  const atMs = isAbsent(wire.at) ? null : readTime(wire.at)
  if (atMs === null && !isAbsent(wire.at)) {
    return reject('invalid', fieldProblem(fieldPath(element, 'at'), TIME_EXPECTED, wire.at))
  }

  const device = isAbsent(wire.device) ? impliedDevEui : canonicalDevEui(wire.device)
  if (device === undefined || (impliedDevEui !== undefined && device !== impliedDevEui)) {
    const expected = `expected the device of the topic (${impliedDevEui}) or none`
    return reject('not_your_device', fieldProblem(fieldPath(element, 'device'), expected, wire.device))
  }
  if (atMs !== null && !isPlausibleTime(atMs, receivedAtMs)) {
    const path = fieldPath(element, 'at')
    return reject('clock', clockProblem({ path, value: wire.at, atMs, receivedAtMs }))
  }
  return { ok: true, item: rules.build({ item: index, device, atMs }, wire) }
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

type Place = Pick<Element, 'elementPath' | 'index'>

function pathOf({ elementPath, index }: Place): string {
  return elementPath(index)
}

/** The path of a field of an element in details. */
export function fieldPath(place: Place, field: string): string {
  const path = pathOf(place)
  return path === '' ? field : `${path}.${field}`
}

function pathed(path: string, problem: string): string {
  return path === '' ? problem : `${path}: ${problem}`
}
