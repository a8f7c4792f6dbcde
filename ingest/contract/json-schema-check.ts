/** A checker for the few JSON Schema keywords that the published schemas use, so that tests can run these schemas. */
import { isRecord } from '../decode/value.ts'

type Check = (rule: unknown, value: unknown) => boolean

const always: Check = () => true

const CHECKS: Readonly<Record<string, Check>> = {
  $schema: always,
  title: always,
  description: always,
  format: always,
  type: (types, value) => [types].flat().some((type) => isType(String(type), value)),
  enum: (values, value) => asArray(values).includes(value),
  minimum: (limit, value) => typeof value !== 'number' || value >= Number(limit),
  maximum: (limit, value) => typeof value !== 'number' || value <= Number(limit),
  pattern: (pattern, value) => typeof value !== 'string' || new RegExp(String(pattern), 'u').test(value),
  minItems: (limit, value) => !Array.isArray(value) || value.length >= Number(limit),
  maxItems: (limit, value) => !Array.isArray(value) || value.length <= Number(limit),
  items: (schema, value) => !Array.isArray(value) || value.every((item) => matches(schema, item)),
  required: (fields, value) =>
    !isRecord(value) || asArray(fields).every((field) => Object.hasOwn(value, String(field))),
  properties: (schemas, value) => !isRecord(value) || matchesProperties(schemas, value),
  anyOf: (schemas, value) => asArray(schemas).some((schema) => matches(schema, value)),
  not: (schema, value) => !matches(schema, value),
}

/** Whether a value keeps a schema. Throws on a keyword it does not know, rather than pass it over. */
export function matches(schema: unknown, value: unknown): boolean {
  if (!isRecord(schema)) throw new Error('expected a JSON Schema to be an object')
  return Object.entries(schema).every(([keyword, rule]) => {
    const check = CHECKS[keyword]
    if (check === undefined) throw new Error(`expected a keyword that this checker knows, got ${keyword}`)
    return check(rule, value)
  })
}

function matchesProperties(schemas: unknown, value: { readonly [field: string]: unknown }): boolean {
  if (!isRecord(schemas)) throw new Error('expected properties to be an object')
  const present = Object.entries(schemas).filter(([field]) => Object.hasOwn(value, field))
  return present.every(([field, schema]) => matches(schema, value[field]))
}

function isType(type: string, value: unknown): boolean {
  if (type === 'object') return isRecord(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'null') return value === null
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

function asArray(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error('expected the rule of a keyword to be an array')
  return value
}
