import { writeFile } from 'node:fs/promises'
import { onEndSignal } from '../../end-signals.ts'
import { describeOptions, OptionError } from '../options.ts'
import { type LoadHooks, type LoadNews, type LoadOptions, runLoad } from './load.ts'
import { type LoadCommand, loadOptionsOf, loadShape, parseLoadCommand } from './options.ts'
import type { LoadResult } from './result.ts'

const HELP = `npm run bench -- load [options]

Publishes readings with QoS 1 to an MQTT server, from hubs numbered from 1 on, and prints one JSON line with
what was acknowledged, how fast and how late. Without -I it is a closed loop: the ceiling of the server.
With -I it is an open loop: what a load that does not wait for the server sees.
Ends with code 1 when something that was sent was not acknowledged. The server must know the hubs and devices, and one
password for all hubs: FrostGuard acknowledges what comes from a device that it does not know, and keeps it as rejected.

`

/** `npm run bench -- load`; resolves to the exit code. */
export async function runLoadCommand(args: readonly string[]): Promise<number> {
  try {
    const command = parseLoadCommand(args)
    if (command.help) {
      process.stdout.write(`${HELP}${describeOptions(loadShape)}\n`)
      return 0
    }
    return await load(command, loadOptionsOf(command, Date.now()))
  } catch (error) {
    process.stderr.write(`${sentence(error)}\n`)
    return error instanceof OptionError ? 2 : 1
  }
}

async function load(command: LoadCommand, options: LoadOptions): Promise<number> {
  const result = await runLoad(options, { ...hooksOf(command), signal: interrupted() })
  const line = `${JSON.stringify(result)}\n`
  process.stdout.write(line)
  if (command.json !== undefined) await writeFile(command.json, line)
  const problem = problemOf(result)
  if (problem !== undefined) process.stderr.write(`${problem}\n`)
  return problem === undefined ? 0 : 1
}

function hooksOf({ quiet }: LoadCommand): LoadHooks {
  // Whoever started this process measures its servers from phase to phase, and shows how it goes.
  const tell = (news: LoadNews) => process.send?.(news)
  let before = 0
  return {
    onPhase: (phase) => tell({ phase }),
    onProgress: ({ connected, sent, acknowledged }) => {
      tell({ acknowledgedMessages: acknowledged })
      if (quiet) return
      const rate = acknowledged - before
      before = acknowledged
      process.stderr.write(
        `${connected} connected, ${sent} sent, ${acknowledged} acknowledged, ${rate} messages/s\n`,
      )
    },
  }
}

/** What keeps the load from counting; undefined when all that was sent was acknowledged. */
function problemOf({
  messages,
  acknowledgedMessages,
  connectionsLost,
  reasonsLost,
}: LoadResult): string | undefined {
  const missing = messages - acknowledgedMessages
  if (missing === 0 && connectionsLost === 0) return undefined
  return `${missing} of ${messages} messages not acknowledged, ${connectionsLost} connections lost: ${reasonsLost.join('; ')}`
}

/** Ctrl-C ends the sending; another one, later, ends the process. */
function interrupted(): AbortSignal {
  const end = new AbortController()
  const first = (signal: string) => {
    process.stderr.write(`${signal}: sending no more, waiting for what is in flight\n`)
    end.abort()
  }
  onEndSignal({ first, again: () => process.exit(1) })
  return end.signal
}

function sentence(error: unknown): string {
  if (error instanceof OptionError) return error.message
  return `The load was not run: ${error instanceof Error ? error.message : String(error)}`
}

if (import.meta.main) {
  const abandoned = () => process.exit(1)
  process.on('disconnect', abandoned)
  process.exitCode = await runLoadCommand(process.argv.slice(2))
  // Nothing more to say to whoever started this process: the channel must not keep it.
  process.off('disconnect', abandoned)
  process.disconnect?.()
}
