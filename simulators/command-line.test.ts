import { describe, expect, test } from 'vitest'
import { parseSimulateLine, SIMULATE_USAGE } from './command-line.ts'
import { DEMO_USAGE, parseDemoLine } from './demo-command-line.ts'
import { FAULT_NAMES, parseFaults } from './faults/rates.ts'
import { UsageError } from './options.ts'

const parse = (...args: string[]) => parseSimulateLine(args, () => 77)

describe('npm run simulate', () => {
  test('what is not given has its default', () => {
    expect(parse()).toEqual({
      mode: 'run',
      fleetPath: expect.stringMatching(/simulators\/fleets\/demo\.json$/),
      credentialsPath: 'credentials.json',
      url: 'mqtt://127.0.0.1:1883',
      seconds: undefined,
      seed: 77,
      rates: parseFaults('none'),
      speed: 1,
      batchSeconds: 5,
      loraFormat: 'both',
      ledgerPath: undefined,
      verify: false,
    })
  })

  test('all that can be given', () => {
    const line = parse(
      ...['fleet.json', '--credentials', 'c.json', '--host', '::1', '--port', '1884', '--seconds', '2.5'],
      ...['--seed', '5', '--faults', 'demo,late=0', '--speed', '60', '--batch-seconds', '1'],
      ...['--lora', 'the-things-stack', '--ledger', 'l.ndjson', '--verify'],
    )
    expect(line).toEqual({
      mode: 'run',
      fleetPath: 'fleet.json',
      credentialsPath: 'c.json',
      url: 'mqtt://[::1]:1884',
      seconds: 2.5,
      seed: 5,
      rates: parseFaults('demo,late=0'),
      speed: 60,
      batchSeconds: 1,
      loraFormat: 'the-things-stack',
      ledgerPath: 'l.ndjson',
      verify: true,
    })
    expect(parse('--url', 'wss://broker.example/mqtt')).toMatchObject({ url: 'wss://broker.example/mqtt' })
  })

  test('the other modes', () => {
    expect(parse('--help')).toEqual({ mode: 'help' })
    expect(parse('--verify-only', '--ledger', 'l')).toEqual({ mode: 'verify-only', ledgerPath: 'l' })
    expect(parse('--write-fleet', 'f.json', '--hubs', '3', '--sensors', '4', '--interval', '60')).toEqual({
      mode: 'write-fleet',
      path: 'f.json',
      hubs: 3,
      sensorsPerHub: 4,
      intervalSeconds: 60,
      loraPercent: 0,
      seed: 1,
    })
    expect(parse('--write-fleet', 'f.json', '--lora-percent', '10')).toMatchObject({ loraPercent: 10 })
  })

  test.each([
    [['--fleet', 'x'], /Unknown option '--fleet'.*npm run simulate -- --help/],
    [['a.json', 'b.json'], /One fleet file at a time, but there are 2/],
    [['--seconds', 'ten'], /--seconds ten: expected a number from 0\.1 to/],
    [['--seconds', ''], /--seconds : expected a number/],
    [['--seed', '1.5'], /--seed 1\.5: expected a whole number/],
    [['--port', '70000'], /--port 70000: expected a whole number from 1 to 65535/],
    [['--lora', 'helium'], /--lora helium: expected chirpstack, the-things-stack or both/],
    [['--lora-percent', '5'], /--lora-percent goes with --write-fleet/],
    [['--speed', '0'], /--speed 0: expected/],
    [['--url', 'http://x'], /--url http:\/\/x: expected mqtt:\/\/host:port/],
    [['--url', 'mqtt://x', '--port', '1'], /--url says the host and the port/],
    [['--faults', 'lat=1'], /--faults: .*"lat" is no fault/],
    [['--hubs', '3'], /--hubs goes with --write-fleet/],
    [['--verify-only'], /--verify-only needs --ledger/],
  ])('%j is told as a sentence', (args, words) => {
    expect(() => parse(...args)).toThrow(UsageError)
    expect(() => parse(...args)).toThrow(words)
  })
})

describe('npm run demo', () => {
  test('what is not given has its default', () => {
    expect(parseDemoLine([])).toEqual({
      fleet: { hubs: 200, sensorsPerHub: 20, intervalSeconds: 10, loraPercent: 5, seed: 1 },
      simulateArgs: ['--seed', '1', '--faults', 'demo', '--verify'],
    })
    expect(parseDemoLine(['-h'])).toBeUndefined()
  })

  test('what it hands on is a command line of the simulators', () => {
    const line = parseDemoLine([
      ...['--hubs', '3', '--sensors', '4', '--interval', '5', '--seconds', '6', '--seed', '7'],
      ...['--lora-percent', '9', '--faults', 'none', '--speed', '8'],
    ])
    expect(line?.fleet).toEqual({ hubs: 3, sensorsPerHub: 4, intervalSeconds: 5, loraPercent: 9, seed: 7 })
    expect(parse(...(line?.simulateArgs ?? []))).toMatchObject({
      mode: 'run',
      seconds: 6,
      seed: 7,
      speed: 8,
      rates: parseFaults('none'),
      verify: true,
    })
  })

  test.each([
    [['--hubs', '0'], /--hubs 0: expected a whole number from 1/],
    [['--faults', 'late'], /--faults/],
    [['--seconds', '-1'], /--seconds -1|ambiguous/],
    [['fleet.json'], /Unexpected argument 'fleet\.json'.*npm run demo -- --help/],
  ])('%j is told as a sentence', (args, words) => {
    expect(() => parseDemoLine(args)).toThrow(UsageError)
    expect(() => parseDemoLine(args)).toThrow(words)
  })
})

test.each([
  ['simulate', SIMULATE_USAGE],
  ['demo', DEMO_USAGE],
])('the help of %s names every fault', (_command, usage) => {
  for (const name of Object.keys(FAULT_NAMES)) expect(usage).toContain(`\n  ${name} `)
})
