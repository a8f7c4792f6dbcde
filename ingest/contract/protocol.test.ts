/** docs/protocol.md is written by hand; the numbers and words in it must be those of the schemas. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isRecord } from '../decode/value.ts'
import { ALERT_TRANSITIONS, alertMessage, unitStatusMessage } from '../operator-payloads.ts'
import { hubReading, MESSAGE_ITEMS_MAX, REJECT_REASONS } from '../payloads.ts'
import { CHANNELS } from './channels.ts'

const protocol = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')

const UNITS = { temperature: '°C', humidity: '%', battery: '%', rssi: 'dBm', snr: 'dB' }

test.each(Object.entries(UNITS))('the range of %s in %s', (field, unit) => {
  const range = numberRange(hubReading.shape[field as keyof typeof UNITS].toJSONSchema())
  const bounds = range.map((bound) => String(bound).replace('-', '−')).join('…')
  expect(protocol).toContain(`\`${field}\` ${unit} ${bounds}`)
})

test('every fault, every reason and the number of items', () => {
  const faults = hubReading.shape.fault.unwrap().unwrap().options
  expect(protocol.replaceAll('\n', ' ').replaceAll(/ +/g, ' ')).toContain(
    `\`fault\`: ${faults.map((fault) => `\`${fault}\``).join(', ')}.`,
  )
  for (const reason of REJECT_REASONS) expect(protocol).toContain(`\`${reason}\``)
  expect(protocol).toContain(`1 to ${MESSAGE_ITEMS_MAX.toLocaleString('en')}`)
})

test('every topic of ours, written as in the channels', () => {
  const own = Object.values(CHANNELS).filter(({ address }) => address.startsWith('v1/'))
  for (const { address } of own) {
    const written = address.replace('{unitPublicId}', '{unit public_id}')
    const short = written.replace('v1/devices/{devEui}', '...')
    expect(
      [written, short].some((topic) => protocol.includes(`\`${topic}\``)),
      address,
    ).toBe(true)
  }
})

test.each([
  ['Alerts', alertMessage],
  ['Unit status', unitStatusMessage],
] as const)('the example of "%s" has every field, and no other', (section, schema) => {
  const example = protocol.split(`\n### ${section}\n`)[1]?.match(/```json\n(.*?)```/s)?.[1] ?? ''
  const message: unknown = JSON.parse(example)
  expect(schema.strict().parse(message)).toEqual(message)
})

test('every transition and status of an alert, and every status of a unit', () => {
  const { status } = alertMessage.shape
  for (const word of [...ALERT_TRANSITIONS, ...status.options, ...unitStatusMessage.shape.status.options]) {
    expect(protocol).toContain(`\`${word}\``)
  }
})

/** Minimum and maximum of a schema of a number that may be absent. */
function numberRange(schema: unknown): unknown[] {
  const choices = isRecord(schema) && Array.isArray(schema['anyOf']) ? schema['anyOf'] : []
  const number: unknown = choices.find((choice) => isRecord(choice) && choice['type'] === 'number')
  return isRecord(number) ? [number['minimum'], number['maximum']] : []
}
