import { expect, test } from 'vitest'
import { parseCommandLine } from './command-line.ts'

const ALL = {
  reasons: undefined,
  client: undefined,
  device: undefined,
  sinceMs: undefined,
  untilMs: undefined,
}

test('without arguments everything is looked at', () => {
  expect(parseCommandLine([])).toEqual({
    filter: ALL,
    organization: undefined,
    limit: Number.POSITIVE_INFINITY,
    dryRun: false,
  })
})

test('reads every option', () => {
  const args = [
    '--reason=unknown_device, clock',
    '--reason=invalid',
    '--client=device:24e124136b502f4a',
    '--device=24:E1:24:13:6B:50:2F:4A',
    '--organization=acme',
    '--since=2026-11-20T11:00:00.5+01:00',
    '--until=1795174500000',
    '--limit=10',
    '--dry-run',
  ]
  expect(parseCommandLine(args)).toEqual({
    filter: {
      reasons: ['unknown_device', 'clock', 'invalid'],
      client: 'device:24e124136b502f4a',
      device: '24e124136b502f4a',
      sinceMs: Date.UTC(2026, 10, 20, 10) + 500,
      untilMs: 1_795_174_500_000,
    },
    organization: 'acme',
    limit: 10,
    dryRun: true,
  })
})

test('help is asked for', () => {
  expect(parseCommandLine(['--help'])).toBeUndefined()
})

test.each([
  [['hub-1'], /^Unexpected argument 'hub-1'.* Run "npm run rejected:replay -- --help"/],
  [['--limit'], /^Option '--limit <value>' argument missing\. Run/],
  [['--reason', 'bad'], /^--reason bad: expected one or more of malformed, invalid, unknown_device/],
  [['--reason', 'clock,'], /^--reason : expected/],
  [['--client', ''], /^--client needs a name\.$/],
  [['--device', 'x'], /^--device x: expected a DevEUI/],
  [['--since', '2026-11-20'], /^--since 2026-11-20: expected an RFC 3339 time with its offset/],
  [['--until', '-5'], /^Option '--until' argument is ambiguous/],
  [['--limit', '0'], /^--limit 0: expected a whole number of items from 1 on\.$/],
  [['--limit', '1.5'], /^--limit 1\.5: expected/],
])('%j is refused with a sentence', (args, sentence) => {
  expect(() => parseCommandLine(args)).toThrow(sentence)
})
