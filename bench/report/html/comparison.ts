import { type Change, type Comparison, RULE } from '../compare.ts'
import { comparedWith, spreadText } from '../comparison-text.ts'
import { changeText } from '../format.ts'
import { type Markup, markup } from './markup.ts'
import { table } from './table.ts'

/** What has changed since an earlier run; all else folded away. */
export function comparisonSection(comparison: Comparison): Markup {
  const { changes, doubts, onlyBefore, onlyAfter } = comparison
  const beyond = changes.filter(({ verdict }) => verdict !== 'within the noise')
  const within = changes.filter(({ verdict }) => verdict === 'within the noise')
  return markup`<section id="comparison">
<h2>Compared with an earlier run</h2>
<p>With ${comparedWith(comparison)}.</p>
${doubtList(doubts)}
${beyond.length > 0 ? changeTable('Beyond the noise', beyond) : markup`<p>No figure has changed beyond the noise.</p>`}
${folded(`Within the noise: ${within.length} figures`, within.length > 0 ? changeTable('Within the noise', within) : undefined)}
${list('Only in the earlier run', onlyBefore.map(nameText))}
${list('Only in this run', onlyAfter.map(nameText))}
<p class="rule">${RULE}</p>
</section>
`
}

function nameText({ workload, shape, name }: Comparison['onlyBefore'][number]): string {
  return `${workload}, ${shape}: ${name}`
}

function doubtList(doubts: readonly string[]): Markup | undefined {
  if (doubts.length === 0) return undefined
  return markup`<div class="note"><strong>Doubtful</strong>${items(doubts)}</div>`
}

function list(title: string, names: readonly string[]): Markup | undefined {
  if (names.length === 0) return undefined
  return folded(`${title}: ${names.length}`, items(names))
}

function items(texts: readonly string[]): Markup {
  return markup`<ul>${texts.map((text) => markup`<li>${text}</li>`)}</ul>`
}

function folded(summary: string, content: Markup | undefined): Markup | undefined {
  return content && markup`<details><summary>${summary}</summary>${content}</details>`
}

const MARKS: Record<Change['verdict'], string> = {
  better: 'good',
  worse: 'bad',
  changed: 'plain',
  'within the noise': 'plain',
}

function changeTable(caption: string, changes: readonly Change[]): Markup {
  const rows = changes.map((change) => [
    `${change.workload}: ${change.name}`,
    change.shape,
    spreadText(change.before, change.unit),
    spreadText(change.after, change.unit),
    change.unit,
    changeText(change.change),
    markup`<span class="mark ${MARKS[change.verdict]}">${change.verdict}</span>`,
  ])
  return table({
    caption,
    headings: ['figure', 'load', 'before', 'now', 'unit', 'change', 'verdict'],
    rows,
    numbers: [2, 3, 5],
  })
}
