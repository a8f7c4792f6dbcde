import { type Change, type Comparison, RULE, type Spread } from './compare.ts'
import { changeText, formatted } from './format.ts'

/** For the terminal: what has changed beyond the noise, and what makes that doubtful. */
export function comparisonText(comparison: Comparison): string {
  const { changes, doubts, onlyBefore, onlyAfter } = comparison
  const beyond = changes.filter(({ verdict }) => verdict !== 'within the noise')
  const only = (figures: typeof onlyBefore, where: string) =>
    figures.length > 0 ? [`  ${figures.length} figures only ${where}`] : []
  return [
    `compared with ${comparedWith(comparison)}`,
    ...doubts.map((doubt) => `  DOUBTFUL: ${doubt}`),
    ...beyond.map(changeLine),
    `  ${changes.length - beyond.length} of ${changes.length} figures within the noise`,
    ...only(onlyBefore, 'in the earlier run'),
    ...only(onlyAfter, 'in this run'),
    `  ${RULE}`,
    '',
  ].join('\n')
}

/** Which run that was. */
export function comparedWith({ before }: Comparison): string {
  const { commit, changed, startedAt } = before
  return `${commit?.slice(0, 10) ?? 'no commit'}${changed ? ' and changes' : ''} of ${startedAt}`
}

/** "164,000 (139,000 to 315,000)"; a single round has no spread. */
export function spreadText({ median, lowest, highest, rounds }: Spread, unit: Change['unit']): string {
  const text = (value: number) => formatted(value, unit)
  return rounds > 1 ? `${text(median)} (${text(lowest)} to ${text(highest)})` : text(median)
}

function changeLine({ workload, shape, name, unit, before, after, change, verdict }: Change): string {
  const values = `${spreadText(before, unit)} → ${spreadText(after, unit)} ${unit}`
  return `  ${verdict}: ${workload}, ${shape}: ${name}: ${values}, ${changeText(change)}`
}
