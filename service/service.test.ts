import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { SettingsError } from '../settings.ts'
import { readServiceSettings, settingNames } from './service.ts'

test('docs/settings.md lists every setting with its default, and no other', () => {
  const documented = new Map(
    [...readFileSync('docs/settings.md', 'utf8').matchAll(/^\| `([A-Z0-9_]+)` \| `?([^|`]+?)`? \|/gm)].map(
      (match) => [match[1], match[2]],
    ),
  )
  const defaults: Record<string, unknown> = readServiceSettings({})
  expect([...documented.keys()].sort()).toEqual(settingNames().sort())
  for (const name of settingNames()) {
    expect(documented.get(name), name).toBe(String(defaults[name] ?? 'not set'))
  }
})

test('a bad setting is named, with its value and what was expected; an empty one is absent', () => {
  expect(() => readServiceSettings({ MQTT_PORT: 'one', HTTP_PORT: '99999' })).toThrow(SettingsError)
  expect(() => readServiceSettings({ MQTT_PORT: 'one' })).toThrow(/MQTT_PORT="one": expected a TCP port/)
  expect(readServiceSettings({ MQTT_PORT: '' }).MQTT_PORT).toBe(1883)
})

test('a password in a bad URL is not repeated', () => {
  expect(() => readServiceSettings({ DATABASE_URL: 'mysql://me:hunter2@db/x' })).toThrow(
    /DATABASE_URL=mysql:\/\/me:\*\*\*@db/,
  )
})
