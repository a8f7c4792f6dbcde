import { expect, test } from 'vitest'
import { UsageError } from '../../simulators/options.ts'
import { parseSoakLine } from './command-line.ts'

const drawSeed = () => 99

test('without arguments there are defaults and a drawn seed', () => {
  expect(parseSoakLine([], drawSeed)).toEqual({ kills: 50, seed: 99, from: 0, secondsBetween: 0.6, hubs: 20 })
})

test('all options are read', () => {
  const args = '--kills 1000 --seed 4 --from 12 --seconds-between 0 --hubs 5'.split(' ')
  expect(parseSoakLine(args, drawSeed)).toEqual({
    kills: 1000,
    seed: 4,
    from: 12,
    secondsBetween: 0,
    hubs: 5,
  })
})

test.each(['--kills 0', '--kills 1.5', '--seed -1', '--seconds-between 61', '--hubs x', '--nonsense 1'])(
  '%s is refused with a sentence',
  (line) => {
    expect(() => parseSoakLine(line.split(' '), drawSeed)).toThrow(UsageError)
  },
)

test('help is asked for', () => {
  expect(parseSoakLine(['--help'], drawSeed)).toBeUndefined()
})
