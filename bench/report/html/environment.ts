import type { BenchReport } from '../report.ts'
import { type Markup, markup } from './markup.ts'
import { table } from './table.ts'

/** What the figures depend on. */
export function environmentSection({ machine, versions, postgres, settings }: BenchReport): Markup {
  return markup`<section id="environment">
<h2>Measured on</h2>
<div class="plots">
${names('Machine', machine)}
${names('Versions', versions)}
${names('PostgreSQL', postgres)}
${names('Settings of this run', settings)}
</div>
</section>
`
}

function names(caption: string, values: Record<string, unknown>): Markup {
  const rows = Object.entries(values).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : (JSON.stringify(value) ?? ''),
  ])
  return table({ caption, headings: ['', 'value'], rows })
}
