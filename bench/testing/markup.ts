const TAG = /<(\/?)([a-z][a-z0-9]*)((?:\s+[a-zA-Z][\w-]*="[^"<]*")*)\s*(\/?)>/g
const REFERENCE = /&(?!(?:amp|lt|gt|quot|#39);)/

/** What is wrong with a page that should be well-formed, down to its inline SVG: a sentence each. */
export function markupProblems(page: string): string[] {
  const body = page.replace(/^<!doctype html>/, '').replace(/<style>[^<]*<\/style>/, '')
  const problems: string[] = []
  const open: string[] = []
  for (const [tag, closes, name = '', , closesItself] of body.matchAll(TAG)) {
    if (closes === '/') {
      const expected = open.pop()
      if (expected !== name) problems.push(`${tag} closes <${expected}>`)
    } else if (closesItself !== '/') open.push(name)
  }
  if (open.length > 0) problems.push(`never closed: ${open.join(', ')}`)
  const text = body.replace(TAG, '')
  if (/[<>]/.test(text)) problems.push(`not a tag: ${/.{0,20}[<>].{0,20}/.exec(text)?.[0]}`)
  if (REFERENCE.test(body)) problems.push('a bare &')
  return problems
}
