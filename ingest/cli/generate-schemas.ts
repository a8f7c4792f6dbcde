/** Writes docs/asyncapi.json and docs/schemas from the schemas that the decoders run. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { publishedFiles } from '../contract/published-files.ts'

const docs = new URL('../../docs/', import.meta.url)
const schemas = new URL('schemas/', docs)

// A schema that is no longer published leaves no file behind.
rmSync(schemas, { recursive: true, force: true })
mkdirSync(schemas, { recursive: true })
for (const [path, document] of publishedFiles()) {
  writeFileSync(new URL(path, docs), `${JSON.stringify(document, null, 2)}\n`)
}
