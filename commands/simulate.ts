// `npm run simulate`: hubs and devices that behave like real ones, against any broker.
import { withDatabase } from '../db/cli/with-database.ts'
import { onEndSignal } from '../end-signals.ts'
import { type SimulateHost, simulate } from '../simulators/command.ts'
import { parseSimulateLine } from '../simulators/command-line.ts'
import { UsageError } from '../simulators/options.ts'

const print = (text: string) => void process.stdout.write(`${text}\n`)

const host: SimulateHost = {
  print,
  useDatabase: async <Result>(action: (url: string) => Promise<Result>) => {
    let result: Result | undefined
    await withDatabase(async ({ url }) => {
      result = await action(url)
    })
    return result
  },
  untilStopped: async (action) => {
    const stop = new AbortController()
    const first = () => {
      if (!stop.signal.aborted) print('Stopping: the hubs deliver what they still have.')
      stop.abort()
    }
    const signals = onEndSignal({ first, again: () => process.exit(1) })
    process.on('message', first)
    try {
      return await action(stop.signal)
    } finally {
      // The database of a command ends it at a signal: the second copy of Ctrl-C must not.
      await signals.settled()
      signals.forget()
      process.off('message', first)
    }
  },
}

// The demo runs this program as its child and stops it by a message: that waits, as a signal would not, until it is
// wanted. Without the demo there is nobody to publish to.
process.once('disconnect', () => process.exit(1))
process.channel?.unref()

try {
  process.exitCode = await simulate(parseSimulateLine(process.argv.slice(2)), host)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
