/** docs/operations.md: its queries run, and its examples fit the stack. */
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { createTestDatabase } from '../db/testing/test-database.ts'
import { readServiceSettings, settingNames } from '../service/service.ts'
import { compose, serviceOf } from './testing/compose.ts'
import { readProjectFile } from './testing/project.ts'

const operations = readProjectFile('docs/operations.md')

function blocks(language: string): string[] {
  return [...operations.matchAll(/^ *```(\w+)\n([\s\S]*?)^ *```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , text]) => text ?? '')
}

test('every query runs', async () => {
  const database = await createTestDatabase()
  const client = new Client({ connectionString: database.url })
  try {
    await client.connect()
    const queries = blocks('sql')
    expect(queries.length).toBeGreaterThan(0)
    for (const query of queries) await client.query(query)
  } finally {
    await client.end()
    await database.drop()
  }
})

test('the override for TLS names a service of the stack and settings that exist', () => {
  const override = z.object({
    services: z.record(
      z.string(),
      z.object({ environment: z.record(z.string(), z.string()), volumes: z.array(z.string()) }),
    ),
  })
  const [text, ...more] = blocks('yaml')
  expect(more).toEqual([])
  for (const [name, { environment, volumes }] of Object.entries(override.parse(parse(text ?? '')).services)) {
    expect(serviceOf(name).build).toBe('.')
    for (const [setting, value] of Object.entries(environment)) {
      expect(settingNames()).toContain(setting)
      expect(volumes.some((volume) => value.startsWith(`${volume.split(':')[1]}/`))).toBe(true)
    }
    expect(() => readServiceSettings(environment)).not.toThrow()
  }
})

test('commands name services and profiles that exist', () => {
  const commands = blocks('sh').join('\n')
  const profiles = Object.values(compose.services).flatMap((service) => service.profiles)
  for (const [, profile] of commands.matchAll(/--profile (\w+)/g)) expect(profiles).toContain(profile)
  for (const [, service] of commands.matchAll(/ exec (?:-T )?(\w+)/g))
    expect(Object.keys(compose.services)).toContain(service)
})
