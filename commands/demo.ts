// `npm run demo`: the service as `npm start` starts it, with a generated fleet and simulators that publish to it.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { onEndSignal } from '../end-signals.ts'
import { announcement } from '../service/announce.ts'
import { readServiceSettings, type Service, startService } from '../service/service.ts'
import { readEnvironment } from '../settings.ts'
import { DEMO_USAGE, type DemoLine, parseDemoLine } from '../simulators/demo-command-line.ts'
import { UsageError } from '../simulators/options.ts'
import { applyDemoFleet, type DemoFleet } from './demo-fleet.ts'

const SIMULATE = fileURLToPath(new URL('./simulate.ts', import.meta.url))

const print = (text: string) => void process.stdout.write(`${text}\n`)

async function main(): Promise<number> {
  const line = parseDemoLine(process.argv.slice(2))
  if (!line) {
    print(DEMO_USAGE)
    return 0
  }
  const settings = readServiceSettings(readEnvironment())
  const log = pino({ level: settings.LOG_LEVEL }, pino.destination(2))
  let simulators: ChildProcess | undefined
  let isStopping = false
  const stopping = Promise.withResolvers<void>()
  onEndSignal({
    first: () => {
      isStopping = true
      stopping.resolve()
      if (simulators?.connected) simulators.send('stop')
    },
    again: (signal) => {
      log.warn(`${signal} again: ending at once`)
      simulators?.kill('SIGKILL')
      process.exit(1)
    },
  })
  const service = await startService(settings, log)
  try {
    print(announcement(service.addresses))
    await Promise.race([service.databaseOpened, stopping.promise])
    if (isStopping) return 0
    const fleet = await applyDemoFleet(addressOf(service, 'database'), {
      dataDir: settings.DATA_DIR,
      fleet: line.fleet,
    })
    print(fleetLine(line, fleet))
    if (isStopping) return 0
    simulators = startSimulators(service, fleet, line)
    const [code] = (await once(simulators, 'exit')) as [number | null]
    return code ?? 1
  } finally {
    await service.stop()
    print('FrostGuard has stopped.')
  }
}

/**
 * In a process of its own, so that simulators and service do not share an event loop; in a process group of its own, so
 * that Ctrl-C reaches it through us alone. `fork` gives it the flags that our Node has. The database's URL goes by the
 * environment: arguments can be seen by all.
 */
function startSimulators(service: Service, fleet: DemoFleet, line: DemoLine): ChildProcess {
  const args = [fleet.fleetPath, '--credentials', fleet.credentialsPath, '--url', addressOf(service, 'mqtt')]
  return fork(SIMULATE, [...args, ...line.simulateArgs], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    detached: true,
    env: { ...process.env, DATABASE_URL: addressOf(service, 'database') },
  })
}

function addressOf(service: Service, name: 'database' | 'mqtt'): string {
  const address = service.addresses[name]
  if (address === undefined) throw new Error(`The service does not say where its ${name} is.`)
  return address
}

function fleetLine({ fleet }: DemoLine, { report, fleetPath }: DemoFleet): string {
  const sensors = fleet.hubs * fleet.sensorsPerHub
  const changes = report.changesTotal === 0 ? 'as before' : `${report.changesTotal} changes`
  return `Fleet of "${report.slug}":`
    .padEnd(22)
    .concat(` ${fleet.hubs} hubs, ${sensors} sensors (${changes}), ${fleetPath}`)
}

try {
  const code = await main()
  process.exit(code)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(error instanceof UsageError ? 2 : 1)
}
