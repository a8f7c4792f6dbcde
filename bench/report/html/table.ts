import { type Markup, markup } from './markup.ts'

type Cell = Markup | string

/** A table that scrolls by itself where it is too wide; the first cell of a row names it. */
export function table(options: {
  caption: string
  headings: readonly string[]
  rows: readonly (readonly Cell[])[]
  /** Columns of numbers, which stand to the right. */
  numbers?: readonly number[]
}): Markup {
  const { caption, headings, rows, numbers = [] } = options
  const side = (column: number) => (numbers.includes(column) ? 'number' : 'words')
  return markup`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr>${headings.map((heading, column) => markup`<th scope="col" class="${side(column)}">${heading}</th>`)}</tr></thead>
<tbody>
${rows.map((row) => markup`<tr>${row.map((cell, column) => cellMarkup(cell, column, side(column)))}</tr>\n`)}</tbody>
</table></div>`
}

function cellMarkup(cell: Cell, column: number, side: string): Markup {
  return column === 0 ? markup`<th scope="row">${cell}</th>` : markup`<td class="${side}">${cell}</td>`
}
