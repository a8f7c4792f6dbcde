import { asyncApiDocument } from './asyncapi.ts'
import { publishedSchemas } from './schemas.ts'

/** The generated documents by their path below `docs/`. */
export function publishedFiles(): Map<string, object> {
  const files = new Map<string, object>([['asyncapi.json', asyncApiDocument()]])
  for (const [name, schema] of Object.entries(publishedSchemas())) {
    files.set(`schemas/${name}.schema.json`, schema)
  }
  return files
}
