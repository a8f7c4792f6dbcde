import { type Action, type Change, describeChange } from './changes.ts'
import { KIND_NAMES, KINDS, type KindName } from './kinds.ts'
import { type LogInPlan, usernameOf } from './log-ins.ts'
import type { Written } from './write-fleet.ts'

const CHANGES_SHOWN_MAX = 200
const NAMES_SHOWN_MAX = 10
const ACTIONS = ['created', 'updated', 'revived', 'removed'] as const

type Counts = Record<Action | 'unchanged', number>

/** What was done, or with `dryRun` what would be done. Holds no secrets. */
export interface FleetReport {
  slug: string
  dryRun: boolean
  counts: Record<KindName, Counts>
  /** One line each, `CHANGES_SHOWN_MAX` at most. */
  changes: readonly string[]
  changesTotal: number
  /** Usernames. */
  newSecrets: readonly string[]
  revokedSecrets: readonly string[]
  /** Hubs in the credentials file that the organization does not have. */
  unknownHubs: readonly string[]
  credentialsPath: string
}

export function makeReport(input: {
  options: { dryRun: boolean; credentialsPath: string }
  slug: string
  written: Written
  logIns: LogInPlan
  unknownHubs: readonly string[]
}): FleetReport {
  const { options, slug, written, logIns, unknownHubs } = input
  return {
    slug,
    dryRun: options.dryRun,
    credentialsPath: options.credentialsPath,
    counts: countsOf(written),
    changes: written.changes.slice(0, CHANGES_SHOWN_MAX).map(describeChange),
    changesTotal: written.changes.length,
    newSecrets: logIns.renewed.map(usernameOf),
    revokedSecrets: logIns.revoked.map(usernameOf),
    unknownHubs,
  }
}

function countsOf({ changes, unchanged }: Written): FleetReport['counts'] {
  const counts = {} as FleetReport['counts']
  for (const kind of KIND_NAMES) {
    counts[kind] = { created: 0, updated: 0, revived: 0, removed: 0, unchanged: unchanged[kind] }
  }
  for (const change of changes) count(counts[change.kind], change)
  return counts
}

/** A new secret alone leaves its thing as it was. */
function count(counts: Counts, { action, changed }: Change): void {
  if (action !== 'updated' || changed.length > 0) counts[action] += 1
}

/** The report for people. */
export function formatReport(report: FleetReport): string {
  return [
    report.dryRun
      ? `Dry run: organization "${report.slug}" would be changed like this. Nothing was changed.`
      : `Organization "${report.slug}"`,
    ...table(report.counts),
    ...(report.dryRun ? changeLines(report) : []),
    ...secretLines(report),
    ...(isIdle(report) ? ['Nothing to change: the database has what the file says.'] : []),
    ...nextStep(report),
  ].join('\n')
}

function isIdle({ changesTotal, newSecrets, revokedSecrets }: FleetReport): boolean {
  return changesTotal + newSecrets.length + revokedSecrets.length === 0
}

function table(counts: FleetReport['counts']): string[] {
  const columns = [...ACTIONS, 'unchanged'] as const
  const shown = KIND_NAMES.filter((kind) => columns.some((column) => counts[kind][column] > 0))
  const width = Math.max(...shown.map((kind) => KINDS[kind].plural.length))
  const head = `  ${' '.repeat(width)}  ${columns.map((column) => column.padStart(9)).join('  ')}`
  const line = (kind: KindName) =>
    `  ${KINDS[kind].plural.padEnd(width)}  ${columns.map((column) => String(counts[kind][column]).padStart(9)).join('  ')}`
  return [head, ...shown.map(line)]
}

function changeLines({ changes, changesTotal }: FleetReport): string[] {
  const more = changesTotal - changes.length
  return [...changes.map((line) => `  ${line}`), ...(more > 0 ? [`  and ${more} more`] : [])]
}

function secretLines({
  dryRun,
  newSecrets,
  revokedSecrets,
  unknownHubs,
  credentialsPath,
}: FleetReport): string[] {
  const lines: string[] = []
  if (newSecrets.length > 0) {
    const what = `${newSecrets.length} new ${newSecrets.length === 1 ? 'secret' : 'secrets'} for ${names(newSecrets)}`
    lines.push(
      dryRun ? `${what} would be made.` : `${what}: in ${credentialsPath}, readable by its owner only.`,
    )
  }
  if (revokedSecrets.length > 0) {
    lines.push(`${dryRun ? 'Would revoke' : 'Revoked'} the secret of ${names(revokedSecrets)}.`)
  }
  if (unknownHubs.length > 0) {
    lines.push(
      `Warning: ${credentialsPath} also has hubs that this organization does not have (${names(unknownHubs)}). ` +
        'If it is the file of another organization, its operator secret is replaced by this one: name a file for each with --credentials.',
    )
  }
  return lines
}

function nextStep({ dryRun, newSecrets }: FleetReport): string[] {
  if (dryRun) return ['Next: run the same without --dry-run.']
  if (newSecrets.length === 0) return []
  return [
    'Next: give each its secret; it may connect at once, with the name shown here as MQTT username and the secret as password.',
  ]
}

function names(all: readonly string[]): string {
  const more = all.length - NAMES_SHOWN_MAX
  return [...all.slice(0, NAMES_SHOWN_MAX), ...(more > 0 ? [`${more} more`] : [])].join(', ')
}
