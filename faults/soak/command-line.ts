import { numberOption, parseOptions, UsageError } from '../../simulators/options.ts'

const HUBS_DEFAULT = 20
const KILLS_DEFAULT = 50
const KILLS_MAX = 1_000_000
const SECONDS_BETWEEN_DEFAULT = 0.6
const SECONDS_BETWEEN_MAX = 60

export const SOAK_USAGE = `Usage: npm run test:soak -- [options]

Kills the service and its PostgreSQL at random moments while hubs publish, and makes other faults around it, on a
PostgreSQL, ports and folders of its own. Again and again everything recovers, and what was acknowledged is compared with
what is stored. The exit code is 1 when anything is lost, stored twice or was never sent, or when the books of the
service do not balance; then its data and logs are kept.

  --kills <n>             how many kill -9 of the service and of PostgreSQL together (default: ${KILLS_DEFAULT})
  --seed <n>              another seed is another schedule (default: drawn, and printed)
  --from <n>              the first position of the schedule (default: 0)
  --seconds-between <n>   mean pause between two faults (default: ${SECONDS_BETWEEN_DEFAULT})
  --hubs <n>              how many hubs (default: ${HUBS_DEFAULT})
  --help                  prints this`

export interface SoakLine {
  kills: number
  seed: number
  from: number
  secondsBetween: number
  hubs: number
}

/** Reads the arguments of `npm run test:soak`; undefined = only help was asked for. Throws a `UsageError`. */
export function parseSoakLine(args: readonly string[], drawSeed: () => number): SoakLine | undefined {
  const { values } = parseOptions(
    {
      args: [...args],
      options: {
        kills: { type: 'string' },
        seed: { type: 'string' },
        from: { type: 'string' },
        'seconds-between': { type: 'string' },
        hubs: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    },
    'test:soak',
  )
  if (values.help) return undefined
  return {
    kills: wholeNumber('kills', values.kills, 1) ?? KILLS_DEFAULT,
    seed: numberOption('seed', values.seed) ?? drawSeed(),
    from: wholeNumber('from', values.from, 0) ?? 0,
    secondsBetween: secondsBetween(values['seconds-between']) ?? SECONDS_BETWEEN_DEFAULT,
    hubs: numberOption('hubs', values.hubs) ?? HUBS_DEFAULT,
  }
}

function wholeNumber(name: string, text: string | undefined, min: number): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() !== '' && Number.isInteger(value) && value >= min && value <= KILLS_MAX) return value
  throw new UsageError(`--${name} ${text}: expected a whole number from ${min} to ${KILLS_MAX}.`)
}

function secondsBetween(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() !== '' && value >= 0 && value <= SECONDS_BETWEEN_MAX) return value
  throw new UsageError(
    `--seconds-between ${text}: expected a number from 0 to ${SECONDS_BETWEEN_MAX} seconds.`,
  )
}
