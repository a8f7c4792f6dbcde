/** docs/alert-rules.md is written by hand; its examples must be such as a fleet file may have. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ALERT_TYPES, conditionSchema } from './conditions.ts'
import { PRESETS } from './presets.ts'
import { scheduleSchema } from './schedule.ts'

const doc = readFileSync(new URL('../../docs/alert-rules.md', import.meta.url), 'utf8')
const examples = [...doc.matchAll(/```json\n(.*?)```/gs)].map(([, json]) => JSON.parse(json ?? ''))

test('every condition has an example that is right', () => {
  const conditions = examples.map((example) => conditionSchema.parse(example.condition ?? example))
  expect(new Set(conditions.map(({ type }) => type))).toEqual(new Set(Object.keys(ALERT_TYPES)))
})

test('presets and quiet hours are written as they are read', () => {
  const [, preset = ''] = doc.match(/"preset": "([^"]+)"/) ?? []
  expect(Object.keys(PRESETS)).toContain(preset)
  const [, quietHours = ''] = doc.match(/\{"quiet_hours": (\{.*?\]\})\}/s) ?? []
  expect(scheduleSchema.parse(JSON.parse(quietHours)).windows).toHaveLength(1)
})
