// `npm run test:soak`: kills and other faults at random, with the books compared again and again.
import { randomInt } from 'node:crypto'
import { onEndSignal } from '../../end-signals.ts'
import { UsageError } from '../../simulators/options.ts'
import { parseSoakLine, SOAK_USAGE, type SoakLine } from './command-line.ts'
import { formatResult } from './format-result.ts'
import { drawStep } from './schedule.ts'
import { soak } from './soak.ts'

const CHECK_EVERY = 25
const SEED_MAX = 2 ** 32

const print = (text: string) => void process.stdout.write(`${text}\n`)

async function run({ kills, seed, from, secondsBetween, hubs }: SoakLine): Promise<number> {
  print(
    `Soak over ${kills} kills with ${hubs} hubs, seed ${seed} from position ${from}. Ctrl-C ends it early.`,
  )
  let isStopped = false
  let position = from
  const signals = onEndSignal({
    first: () => {
      isStopped = true
      print('Stopping: a last check point.')
    },
    again: () => process.exit(1),
  })
  const result = await soak({
    seed,
    hubs,
    checkEvery: CHECK_EVERY,
    print,
    nextStep: (done) => {
      if (isStopped || done >= kills) return undefined
      position += 1
      return drawStep({ seed, position: position - 1, secondsBetween })
    },
  })
  signals.forget()
  print(formatResult(result))
  return result.problems.length === 0 ? 0 : 1
}

try {
  const line = parseSoakLine(process.argv.slice(2), () => randomInt(SEED_MAX))
  if (line) process.exitCode = await run(line)
  else print(SOAK_USAGE)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
// Everything is closed by now; a connection that was cut in the last moment must not keep the process.
process.exit()
