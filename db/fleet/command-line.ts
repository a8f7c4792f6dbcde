import { parseArgs } from 'node:util'
import { FleetError } from './fleet-error.ts'

export const USAGE = `Usage: npm run fleet:apply -- <fleet.json> [options]

Makes the database have the organization, sites, hubs, units, devices, contacts and alert rules of a fleet file.
What the database has already stays as it is; the format is described in docs/provisioning.md.

  --credentials <file>  where new secrets are written, merged with what is there (default: credentials.json)
  --prune               also remove what the organization has and the file has not (it can be revived later)
  --rotate <log-in>     make a new secret for a hub's key, device:<DevEUI>, ns:<key> or operator; may be repeated
  --dry-run             only print what would be done
  --help                print this

The database is that of DATABASE_URL, else the embedded one of DATA_DIR.`

export interface CommandLine {
  fleetPath: string
  credentialsPath: string
  prune: boolean
  rotate: readonly string[]
  dryRun: boolean
}

/** Reads the arguments after the program's name; undefined = only help was asked for. Throws a `FleetError`. */
export function parseCommandLine(args: readonly string[]): CommandLine | undefined {
  const { values, positionals } = parse(args)
  if (values.help) return undefined
  const [fleetPath, ...rest] = positionals
  if (fleetPath === undefined) throw usageError('The fleet file is missing')
  if (rest.length > 0)
    throw usageError(
      `One fleet file at a time, but there are ${positionals.length}: ${positionals.join(', ')}`,
    )
  if (values.credentials === '') throw usageError('--credentials needs the name of a file')
  return {
    fleetPath,
    credentialsPath: values.credentials,
    prune: values.prune,
    rotate: values.rotate,
    dryRun: values['dry-run'],
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        credentials: { type: 'string', default: 'credentials.json' },
        prune: { type: 'boolean', default: false },
        rotate: { type: 'string', multiple: true, default: [] },
        'dry-run': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw usageError(error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error))
  }
}

function usageError(message: string): FleetError {
  return new FleetError(
    `${message.replace(/\.$/, '')}. Run "npm run fleet:apply -- --help" for what is possible.`,
  )
}
