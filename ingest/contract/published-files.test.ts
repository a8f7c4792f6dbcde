import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { publishedFiles } from './published-files.ts'

const docs = new URL('../../docs/', import.meta.url)
const files = publishedFiles()

test.each([...files])('docs/%s is current: if not, run "npm run docs:schemas"', (path, document) => {
  const published: unknown = JSON.parse(readFileSync(new URL(path, docs), 'utf8'))
  // By way of JSON, so that only what a file can hold is compared; its formatting is Biome's matter.
  expect(published).toEqual(JSON.parse(JSON.stringify(document)))
})

test('docs/schemas has no file that is no longer generated', () => {
  const found = readdirSync(new URL('schemas/', docs)).map((name) => `schemas/${name}`)
  expect(found.sort()).toEqual([...files.keys()].filter((path) => path.startsWith('schemas/')).sort())
})
