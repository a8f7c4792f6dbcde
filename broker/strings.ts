/**
 * Whether a string of an MQTT packet is free of control characters, of noncharacters, and of U+FFFD: the parser
 * puts U+FFFD where the bytes were not UTF-8, so two different byte strings could become one. PostgreSQL
 * refuses U+0000 in text, and with it a whole COPY.
 */
export function isWellFormed(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f) || code >= 0xfffd) return false
  }
  return true
}

/** A string from outside, short enough for a log line. */
export function excerpt(text: string): string {
  return text.length <= 120 ? text : `${text.slice(0, 120)}… (${text.length} characters)`
}
