import { MESSAGE_ITEMS_MAX } from '../payloads.ts'
import { decodeEnvelope, type Envelope } from './envelope.ts'
import { fieldProblem } from './fields.ts'
import {
  type DecodeContext,
  decodeItem,
  fieldPath,
  type ItemOrigin,
  type ItemRules,
  isReject,
  type WireItem,
} from './item.ts'
import { parseJson } from './json.ts'
import { detailText, type Reject, rejectOrigin } from './reject.ts'
import { type FoundItems, findItems, type Shape } from './shape.ts'
import { isAbsent, isRecord, quote } from './value.ts'

/** Items and rejects account for every item of the message, or one reject (`item` null) for the message whole. */
export interface DecodedItems<Item> {
  envelope: Envelope
  items: readonly Item[]
  rejects: readonly Reject[]
  /** For an item that only turns out later to be no good: where it stands, and what it said, as it was sent. */
  describe: (item: number) => ItemDescription
}

export interface ItemDescription extends Pick<Reject, 'device' | 'at'> {
  /** The path of its device in details. */
  devicePath: string
}

/**
 * Decodes a message of items in any of its shapes. Never throws: whatever the bytes are, the result accounts for
 * them. One bad item rejects itself alone. A message with no or too many items keeps its envelope, so that its
 * `seq` can still be counted.
 */
export function decodeItems<Wire extends WireItem, Item extends ItemOrigin>(
  payload: Uint8Array,
  context: DecodeContext,
  kind: Shape & ItemRules<Wire, Item>,
): DecodedItems<Item> {
  const json = parseJson(payload)
  if (!json.ok) return rejectedWhole({ notes: [] }, 'malformed', json.problem)
  const found = findItems(json.value, kind)
  if (found === null) return rejectedWhole({ notes: [] }, 'malformed', shapeProblem(json.value, kind))

  const envelope =
    found.message === null ? { notes: [] } : decodeEnvelope(found.message, context.receivedAtMs)
  const count = found.elements.length
  if (count < 1 || count > MESSAGE_ITEMS_MAX) {
    const path = found.listPath ? `${found.listPath}: ` : ''
    return rejectedWhole(envelope, 'invalid', `${path}expected 1 to ${MESSAGE_ITEMS_MAX} items, got ${count}`)
  }
  return decodeEach(found, envelope, { context, rules: kind })
}

const NONE: readonly never[] = []

/** Many messages have one item, and nearly all have no rejects: nothing is made for what is not there. */
function decodeEach<Wire extends WireItem, Item extends ItemOrigin>(
  { elements, listPath }: FoundItems,
  envelope: Envelope,
  { context, rules }: { context: DecodeContext; rules: ItemRules<Wire, Item> },
): DecodedItems<Item> {
  const items = new Array<Item>(elements.length)
  let count = 0
  let rejects: Reject[] | undefined
  for (let index = 0; index < elements.length; index++) {
    const decoded = decodeItem({ value: elements[index], index, listPath }, context, rules)
    if (!isReject(decoded)) items[count++] = decoded
    else if (rejects) rejects.push(decoded)
    else rejects = [decoded]
  }
  items.length = count
  const describe = (item: number): ItemDescription => ({
    devicePath: fieldPath({ listPath, index: item }, 'device'),
    ...rejectOrigin(elements[item], context.impliedDevEui),
  })
  return { envelope, items, rejects: rejects ?? NONE, describe }
}

/** Of a message whose items are not known. */
export function describeUnknown(): ItemDescription {
  return { devicePath: 'device' }
}

function rejectedWhole<Item>(
  envelope: Envelope,
  reason: Reject['reason'],
  detail: string,
): DecodedItems<Item> {
  return {
    envelope,
    items: [],
    rejects: [{ item: null, reason, detail: detailText(detail) }],
    describe: describeUnknown,
  }
}

function shapeProblem(value: unknown, { listKey, itemFields }: Shape): string {
  const expected = `expected {"${listKey}": [...]}, an array of items or a single item`
  if (!isRecord(value)) return `${expected}, got ${quote(value)}`
  const list = value[listKey]
  if (!isAbsent(list)) return fieldProblem(listKey, 'expected an array', list)
  return `${expected}, got an object with neither ${listKey} nor any of ${itemFields.join(', ')}`
}
