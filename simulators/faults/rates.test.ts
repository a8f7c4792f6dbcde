import { expect, test } from 'vitest'
import { describeFaults, FAULT_NAMES, type FaultName, parseFaults } from './rates.ts'

const NAMES = Object.keys(FAULT_NAMES) as FaultName[]
const none = Object.fromEntries(NAMES.map((name) => [name, 0]))
const demo = Object.fromEntries(NAMES.map((name) => [name, FAULT_NAMES[name].demo]))

test.each([
  ['none', none],
  ['demo', demo],
  ['demo,duplicate=0.05,late=0', { ...demo, duplicate: 0.05, late: 0 }],
  [' demo , late = 1 ', { ...demo, late: 1 }],
  ['none,reboot=60', { ...none, reboot: 60 }],
  ['reboot=60,late=1e-3', { ...none, reboot: 60, late: 0.001 }],
  ['late=0.1,late=0.2', { ...none, late: 0.2 }],
])('%j is read', (text, rates) => {
  expect(parseFaults(text)).toEqual(rates)
})

test.each([
  ['', '"" is no fault'],
  ['chaos', '"chaos" is no fault'],
  ['demo,none', '"none" is no fault'],
  ['toString=1', '"toString" is no fault'],
  ['demo,', '"" is no fault'],
  ['late', 'late takes a number from 0 to 1'],
  ['late=', 'late takes a number from 0 to 1'],
  ['late=2', 'late takes a number from 0 to 1'],
  ['late=-0.1', 'late takes a number from 0 to 1'],
  ['late=often', 'late takes a number from 0 to 1'],
  ['late=0.1=0.2', 'late takes a number from 0 to 1'],
  ['reboot=Infinity', 'reboot takes a number from 0 to 3600'],
])('%j is refused with a sentence', (text, reason) => {
  expect(() => parseFaults(text)).toThrow(reason)
})

test('the error and the help list every name with its unit', () => {
  const help = describeFaults()
  expect(() => parseFaults('chaos')).toThrow(help)
  expect(help.split('\n')).toHaveLength(NAMES.length)
  for (const name of NAMES) expect(help).toMatch(new RegExp(`^ {2}${name} +(probability )?per `, 'm'))
})

test('in the profile "demo" every fault happens, and its own rate can be written', () => {
  for (const name of NAMES) {
    expect(FAULT_NAMES[name].demo).toBeGreaterThan(0)
    expect(parseFaults(`${name}=${FAULT_NAMES[name].demo}`)[name]).toBe(FAULT_NAMES[name].demo)
  }
})
