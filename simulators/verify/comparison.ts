import type { RowKeys } from '../ledger/rows.ts'
import { ExpectedRows } from './expected-rows.ts'

/** What may be wrong with what is stored. */
export const PROBLEMS = ['missing', 'phantom', 'wrong', 'double'] as const
export type ProblemKind = (typeof PROBLEMS)[number]

const EXAMPLES_MAX = 10

type Values = Readonly<Record<string, number | string | null>>

/** One kind of item in the ledger. */
export interface LedgerRows {
  readonly keys: RowKeys
  values(row: number): Values
}

/** A row of the database. */
export interface StoredRow {
  /** Index in the ledger's subject. */
  device: number
  /** Epoch milliseconds. */
  at: number
  /** Whether it was received since the run began. */
  isOurs: boolean
  values: Values
}

/** An item where database and ledger differ; `detail` says how. */
interface Example {
  device: number
  at: number
  detail: string
}

export interface Tally {
  /** Acknowledged and stored as sent. */
  stored: number
  /** Not acknowledged, and stored all the same: the PUBACK was lost, or never written. */
  storedUnacknowledged: number
  /** The time was taken before the run began, by another run's reading: ours is a duplicate of that one. */
  takenBefore: number
  problems: Record<ProblemKind, number>
  /** The first few of each kind. */
  examples: Record<ProblemKind, Example[]>
}

const UNSEEN = 0
const SEEN = 1
/** Counted as wrong or taken before: neither stored nor missing. */
const ANOTHER = 2

/** Takes the rows of the database one by one, in any order, and says where they differ from the ledger. */
export class Comparison {
  readonly #ledgerRows: LedgerRows
  readonly #expected: ExpectedRows
  readonly #found: Uint8Array
  readonly #tally: Tally = {
    stored: 0,
    storedUnacknowledged: 0,
    takenBefore: 0,
    problems: { missing: 0, phantom: 0, wrong: 0, double: 0 },
    examples: { missing: [], phantom: [], wrong: [], double: [] },
  }

  constructor(ledgerRows: LedgerRows, devices: number) {
    this.#ledgerRows = ledgerRows
    this.#expected = new ExpectedRows(ledgerRows.keys, devices)
    this.#found = new Uint8Array(ledgerRows.keys.length)
  }

  add(stored: StoredRow): void {
    const row = this.#expected.find(stored.device, stored.at)
    if (row === undefined) {
      if (stored.isOurs) this.#report('phantom', stored, 'stored, but never sent')
      return
    }
    if (this.#found[row] !== UNSEEN) this.#report('double', stored, 'stored more than once')
    else this.#match(row, stored)
  }

  /** To be called once, after the last row. */
  finish(): Tally {
    const { keys } = this.#ledgerRows
    for (let row = 0; row < keys.length; row++) {
      const isAcknowledged = keys.stateOf(row) === 'acknowledged'
      if (this.#found[row] === SEEN) this.#tally[isAcknowledged ? 'stored' : 'storedUnacknowledged'] += 1
      if (this.#found[row] !== UNSEEN || !isAcknowledged) continue
      const place = { device: keys.device.get(row), at: keys.at.get(row) }
      this.#report('missing', place, 'acknowledged, but not stored')
    }
    return this.#tally
  }

  #match(row: number, stored: StoredRow): void {
    const difference = differenceOf(this.#ledgerRows.values(row), stored.values)
    this.#found[row] = difference === undefined ? SEEN : ANOTHER
    if (difference === undefined) return
    if (stored.isOurs) this.#report('wrong', stored, difference)
    else this.#tally.takenBefore += 1
  }

  #report(kind: ProblemKind, { device, at }: Pick<StoredRow, 'device' | 'at'>, detail: string): void {
    this.#tally.problems[kind] += 1
    const examples = this.#tally.examples[kind]
    if (examples.length < EXAMPLES_MAX) examples.push({ device, at, detail })
  }
}

function differenceOf(sent: Values, stored: Values): string | undefined {
  const fields = Object.keys(sent).filter((field) => sent[field] !== stored[field])
  if (fields.length === 0) return undefined
  return fields.map((field) => `${field} ${stored[field]} stored, ${sent[field]} sent`).join('; ')
}
