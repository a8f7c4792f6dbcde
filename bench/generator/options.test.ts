import { expect, test } from 'vitest'
import { OptionError } from '../options.ts'
import { type LoadCommand, loadOptionsOf, parseLoadCommand } from './options.ts'

const NOW = Date.UTC(2026, 10, 20)
const load = (...args: string[]) => loadOptionsOf(parseLoadCommand(args), NOW)

test('without options it is a closed loop of ten seconds against 127.0.0.1:1883', () => {
  const options = load()
  expect(options).toMatchObject({
    host: '127.0.0.1',
    port: 1883,
    inFlightMax: 1,
    messageIntervalMs: undefined,
    messagesMax: Number.POSITIVE_INFINITY,
    seconds: 10,
  })
  expect(options.username(3)).toBe('bench-hub-3')
  expect(options.topics(3, 'bench-hub-3')).toEqual({
    readings: 'v1/hubs/bench-hub-3/readings',
    doors: 'v1/hubs/bench-hub-3/doors',
  })
  expect(options.mix).toEqual({})
  expect(options.plan).toMatchObject({ connections: 20, devicesPerConnection: 50, startAtMs: NOW })
})

test('takes the short options of emqtt-bench', () => {
  const args = '-h ::1 -p 99 -c 4 -R 50 -I 20 -q 1 -F 7 -L 500 -u u%i -P pw -t a/%i/%u -k 9'
  const options = load(...args.split(' '))
  expect(options).toMatchObject({
    host: '::1',
    port: 99,
    connectIntervalMs: 20,
    messageIntervalMs: 20,
    inFlightMax: 7,
    messagesMax: 500,
    password: 'pw',
    keepaliveSeconds: 9,
  })
  expect(options.plan.connections).toBe(4)
  expect(options.username(2)).toBe('u2')
  expect(options.topics(2, 'u2').readings).toBe('a/2/u2')
})

test('and the long ones of its own', () => {
  const args =
    '--readings-per-message 5 --devices 230 --count 2 --eui-prefix a8 --start-at 1795174500000 --step-ms 50'
  const { plan, warmUpSeconds, seconds } = load(...args.split(' '), '--warm-up=2', '--seconds=4')
  expect(plan).toEqual({
    connections: 2,
    readingsPerMessage: 5,
    devicesPerConnection: 115,
    euiPrefix: 'a8',
    startAtMs: 1_795_174_500_000,
    stepMs: 50,
  })
  expect([warmUpSeconds, seconds]).toEqual([2, 4])
})

test('a rate and what is mixed in', () => {
  const options = load(...'-c 4 --rate 200 --fault-every 100 --doors-every 50 --resend-every 20'.split(' '))
  expect(options).toMatchObject({
    messageIntervalMs: 20,
    inFlightMax: 100,
    mix: { faultEvery: 100, doorsEvery: 50, resendEvery: 20 },
  })
  expect(() => load('--rate=5', '-I', '20')).toThrow('--rate and --interval_of_msg: expected one of the two')
  expect(() => load('--readings-per-message=1000', '--fault-every=100')).toThrow('expected at most 999')
})

test.each<[string, string]>([
  ['--fast', "Unknown option '--fast'"],
  ['-z', "Unknown option '-z'"],
  ['extra', "Unexpected argument 'extra'"],
  ['--count=many', '--count=many: expected a whole number of connections from 1 to 60000'],
  ['--port=70000', '--port=70000: expected a whole number of TCP port from 1 to 65535'],
  ['--qos=2', '--qos=2: expected 1'],
  ['--eui-prefix=XY', '--eui-prefix=XY: expected at most 8 lower-case hex digits'],
  ['--devices=10', '--devices=10: expected at least 1000'],
])('%s is refused with a sentence', (arg, sentence) => {
  expect(() => load(arg)).toThrow(OptionError)
  expect(() => load(arg)).toThrow(sentence)
})

test('a refused option says where the others are listed', () => {
  expect(() => load('--fast')).toThrow('"npm run bench -- load --help" lists the options.')
})

test('more devices a connection than there are packet ids for its turns are refused', () => {
  const command: LoadCommand = parseLoadCommand([
    '-c',
    '1',
    '--readings-per-message',
    '1',
    '--devices',
    '65536',
  ])
  expect(() => loadOptionsOf(command, NOW)).toThrow('more than 65535 packet ids')
})
