import { formatBooks } from '../../simulators/verify/format-books.ts'
import type { SoakResult } from './soak.ts'

/** The books of a soak for people, with the verdict in the last line. */
export function formatResult(result: SoakResult): string {
  const { faults, messages, problems, books, folder } = result
  const kills = faults.kills.service + faults.kills.postgres
  const lines = [
    ...(books ? ['', formatBooks(books)] : []),
    '',
    `kill -9                ${kills}: service ${faults.kills.service}, PostgreSQL ${faults.kills.postgres}`,
    `faults                 ${formatCounts(faults.faults)}; ${faults.missed} missed their target`,
    `messages               ${messages.attempted} attempted, ${messages.acknowledged} acknowledged`,
    `starts of the service  ${result.starts}, of which ${result.failedStarts} failed; ${result.refused} log-ins refused`,
    `check points           ${result.checkPoints}`,
    `time                   ${result.seconds.toFixed(0)} s, ${(result.seconds / Math.max(1, kills)).toFixed(1)} s for each kill`,
    ...(books ? [verdictLine(books)] : []),
    ...problems.map((problem) => `PROBLEM: ${problem}`),
    ...(folder === undefined ? [] : [`Data and logs are kept in ${folder}.`]),
    problems.length === 0 ? 'The guarantees hold.' : 'The guarantees do NOT hold.',
  ]
  return lines.join('\n')
}

function verdictLine({ readings, doors }: NonNullable<SoakResult['books']>): string {
  const sum = (kind: keyof typeof readings.problems) => readings.problems[kind] + doors.problems[kind]
  return `items                  ${sum('missing')} lost, ${sum('double')} stored twice, ${sum('phantom')} phantoms, ${sum('wrong')} wrong`
}

function formatCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
}
