import { isAbsent, isRecord, type JsonRecord } from './value.ts'

/** What tells the shapes of one kind of message apart. */
export interface Shape {
  /** The field that holds the items of an object message. */
  listKey: 'readings' | 'events'
  /** An object without a list is a single item if it has one of these. */
  itemFields: readonly string[]
}

/** The items of a message, and where each stands in it. */
export interface FoundItems {
  /** The object around the items, or the single item itself; null for a bare array. */
  message: JsonRecord | null
  elements: readonly unknown[]
  /** What the list is called in details: its field, or nothing where the message is the list; null: it is a single item. */
  listPath: string | null
}

/** Finds the items in any of the accepted shapes: object with a list, bare array, single item. Null: none of them. */
export function findItems(value: unknown, shape: Shape): FoundItems | null {
  if (Array.isArray(value)) return { message: null, elements: value, listPath: '' }
  if (!isRecord(value)) return null
  const list = value[shape.listKey]
  if (Array.isArray(list)) return { message: value, elements: list, listPath: shape.listKey }
  if (!isAbsent(list) || shape.itemFields.every((field) => isAbsent(value[field]))) return null
  return { message: value, elements: [value], listPath: null }
}

/** The path of one element in details; a single item has none. */
export function elementPath(listPath: FoundItems['listPath'], index: number): string {
  return listPath === null ? '' : `${listPath}[${index}]`
}
