import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findDrift } from './schema-drift.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const migrations = join(root, 'drizzle')
let folder: string

beforeEach(async () => {
  // Within the project, so that the copied schema finds its packages.
  folder = await mkdtemp(join(root, 'node_modules/.drift-test-'))
  await cp(join(root, 'db/schema'), folder, { recursive: true })
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

async function driftAfter(edit: (source: string) => string) {
  const file = join(folder, 'devices.ts')
  const source = await readFile(file, 'utf8')
  const edited = edit(source)
  expect(edited).not.toBe(source)
  await writeFile(file, edited)
  return findDrift({ root, schema: `./${folder.slice(root.length)}/*.ts`, migrations })
}

async function contents() {
  const names = (await readdir(migrations, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  )
  return Promise.all(
    names.map(async (entry) => [entry.name, await readFile(join(entry.parentPath, entry.name), 'utf8')]),
  )
}

describe('findDrift', () => {
  it('finds none between the schema and the migrations of the project, and changes nothing', async () => {
    const before = await contents()
    expect(await findDrift({ root, schema: './db/schema/*.ts', migrations })).toBeUndefined()
    expect(await contents()).toEqual(before)
  })

  it('finds a new column', async () => {
    const drift = await driftAfter((source) =>
      source.replace("code: text('code').notNull(),", "code: text('code').notNull(), note: text('note'),"),
    )
    expect(drift).toMatch(/migration file/)
  })

  it('finds a renamed column, about which drizzle-kit would ask', async () => {
    const drift = await driftAfter((source) => source.replace("text('reference')", "text('compared_with')"))
    expect(drift).toMatch(/prompts require a TTY/)
  })
})
