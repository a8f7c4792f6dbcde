/** Something in a fleet file, by its path, for example `sites[0].areas[1].units[0].temp_max`. */
export interface Issue {
  path: string
  message: string
}

const ISSUES_SHOWN_MAX = 50

/** The fleet cannot be applied; the message is for the person who wrote the file. */
export class FleetError extends Error {
  override name = 'FleetError'
}

/** All that is wrong with the file, in one message. Does nothing when nothing is. */
export function throwIssues(source: string, issues: readonly Issue[]): void {
  if (issues.length === 0) return
  const shown = issues.slice(0, ISSUES_SHOWN_MAX).map(({ path, message }) => `  ${path}: ${message}`)
  const more = issues.length - shown.length
  if (more > 0) shown.push(`  and ${more} more`)
  const count = issues.length === 1 ? 'an error' : `${issues.length} errors`
  throw new FleetError(`${source} has ${count}, nothing was changed:\n${shown.join('\n')}`)
}
