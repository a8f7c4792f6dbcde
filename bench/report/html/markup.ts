/** Text that is HTML or SVG already. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Content = Markup | string | number | undefined | readonly Content[]

/**
 * A template of HTML or SVG. What is put into it is escaped, in text and in quoted attributes, unless it is `Markup`;
 * lists are joined, undefined is left out.
 */
export function markup(strings: TemplateStringsArray, ...contents: Content[]): Markup {
  const parts = strings.map((string, index) => (index === 0 ? '' : textOf(contents[index - 1])) + string)
  return new Markup(parts.join(''))
}

function textOf(content: Content): string {
  if (content === undefined) return ''
  if (content instanceof Markup) return content.text
  if (typeof content === 'string') return escaped(content)
  return typeof content === 'number' ? String(content) : content.map(textOf).join('')
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
}
