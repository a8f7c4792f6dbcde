import { PROBLEMS, type ProblemKind } from './comparison.ts'
import type { Books } from './verify.ts'

const NAMES: Record<ProblemKind, string> = {
  missing: 'missing',
  phantom: 'phantom',
  wrong: 'wrong value',
  double: 'stored twice',
}
const LABEL_WIDTH = 34
const COLUMN_WIDTH = 12

type Section = Books['readings']

const LINES: readonly (readonly [string, (section: Section) => number])[] = [
  ['published', (section) => section.published],
  ['acknowledged', (section) => section.acknowledged],
  ['stored', (section) => section.stored],
  ['not acknowledged, yet stored', (section) => section.storedUnacknowledged],
  ['time taken before this run', (section) => section.takenBefore],
  ['sent again (duplicates)', (section) => section.sentAgain],
  ['dropped by hubs after an attempt', (section) => section.dropped],
  ['dropped by hubs unsent', (section) => section.droppedUnsent],
  ...PROBLEMS.map((kind) => [NAMES[kind], (section: Section) => section.problems[kind]] as const),
]

/** The books for people: a table, the rejects, the first examples of each problem, and the verdict. */
export function formatBooks(books: Books): string {
  return [
    tableLine('', ['readings', 'door events']),
    ...LINES.map(([label, value]) =>
      tableLine(label, [value(books.readings), value(books.doors)].map(formatCount)),
    ),
    '',
    tableLine('rejected', ['sent', 'acknowledged', 'kept']),
    ...books.rejects.map(({ reason, sent, acknowledged, kept, isOff }) =>
      tableLine(`  ${reason}`, [sent, acknowledged, kept].map(formatCount), isOff ? '  off' : ''),
    ),
    ...(books.rejects.length === 0 ? ['  none'] : []),
    ...exampleLines('reading', books.readings, books.devices),
    ...exampleLines('door event', books.doors, books.devices),
    verdictOf(books),
  ].join('\n')
}

/** A database that has nothing equals a ledger of which nothing was acknowledged: that proves nothing. */
export function provesNothing({ readings, doors }: Books): boolean {
  const published = readings.published + doors.published
  return published > 0 && readings.acknowledged + doors.acknowledged === 0
}

function verdictOf(books: Books): string {
  if (books.isOff) return 'The database differs from the ledger.'
  if (provesNothing(books))
    return 'Nothing was acknowledged, so the database equals the ledger and proves nothing.'
  return 'The database equals the ledger.'
}

function tableLine(label: string, cells: readonly string[], end = ''): string {
  return `${label.padEnd(LABEL_WIDTH)}${cells.map((cell) => ` ${cell.padStart(COLUMN_WIDTH)}`).join('')}${end}`
}

function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

function exampleLines(what: string, { examples, problems }: Section, devices: readonly string[]): string[] {
  return PROBLEMS.flatMap((kind) => {
    const shown = examples[kind].map(({ device, at, detail }) => {
      const time = new Date(at).toISOString()
      return `  ${NAMES[kind]}: ${what} of ${devices[device]} at ${time}: ${detail}`
    })
    const more = problems[kind] - shown.length
    return more > 0 ? [...shown, `  and ${formatCount(more)} more`] : shown
  })
}
