import { describe, expect, it } from 'vitest'
import { parseCommandLine } from './command-line.ts'

describe('the command line', () => {
  it('has defaults', () => {
    expect(parseCommandLine(['fleet.json'])).toEqual({
      fleetPath: 'fleet.json',
      credentialsPath: 'credentials.json',
      prune: false,
      rotate: [],
      dryRun: false,
    })
  })

  it('takes every option, and --rotate several times', () => {
    const args = 'fleet.json --credentials out.json --prune --rotate hub-1 --rotate operator --dry-run'.split(
      ' ',
    )
    expect(parseCommandLine(args)).toEqual({
      fleetPath: 'fleet.json',
      credentialsPath: 'out.json',
      prune: true,
      rotate: ['hub-1', 'operator'],
      dryRun: true,
    })
  })

  it('asks for nothing with --help', () => {
    expect(parseCommandLine(['--help'])).toBeUndefined()
  })

  it.each([
    [[], 'The fleet file is missing'],
    [['a.json', 'b.json'], 'One fleet file at a time, but there are 2: a.json, b.json'],
    [['a.json', '--purge'], "Unknown option '--purge'"],
    [['a.json', '--rotate'], "Option '--rotate <value>' argument missing"],
    [['a.json', '--credentials', ''], '--credentials needs the name of a file'],
  ])('refuses %j', (args, message) => {
    expect(() => parseCommandLine(args)).toThrow(message)
    expect(() => parseCommandLine(args)).toThrow('--help')
  })
})
