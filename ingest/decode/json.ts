export type ParsedJson = { ok: true; value: unknown } | { ok: false; problem: string }

/** Refuses bytes that are not UTF-8 instead of replacing them, and strips one byte order mark at the start. */
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * The JSON value in a payload, or what is wrong with it. Of duplicate keys the last wins. The value may be nested to
 * any depth (JSON.parse is not recursive): whoever reads it must not recurse into it, stringify it or copy its keys.
 */
export function parseJson(payload: Uint8Array): ParsedJson {
  if (payload.length === 0) return { ok: false, problem: 'expected JSON, got an empty payload' }
  let text: string
  try {
    text = utf8.decode(payload)
  } catch {
    return { ok: false, problem: `expected JSON in UTF-8, got ${payload.length} bytes that are not UTF-8` }
  }
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch (error) {
    const tolerated = parseWithNumberWords(text)
    if (tolerated !== undefined) return { ok: true, value: tolerated }
    return { ok: false, problem: `expected JSON: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** A string, to be passed over, or one of the words that are no JSON. */
const STRING_OR_NUMBER_WORD = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g

/**
 * Some encoders (Python's json.dumps among them) write NaN and Infinity for numbers that are none. One such reading
 * must not take its neighbours with it, so the words are read as a number out of every range.
 */
function parseWithNumberWords(text: string): unknown {
  let found = false
  const replaced = text.replaceAll(STRING_OR_NUMBER_WORD, (token) => {
    if (token.startsWith('"')) return token
    found = true
    return '1e999'
  })
  if (!found) return undefined
  try {
    return JSON.parse(replaced)
  } catch {
    return undefined
  }
}
