import { imbalance } from '../ingest/books.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { Spool } from '../ingest/spool/types.ts'

/** Registry polls count as the database's sign of life; after so many missed ones it is reported as away. */
const DATABASE_AWAY_POLLS = 5
/** A commit takes milliseconds; one under way for so long means that the database takes no writes. */
const COMMIT_STALLED_SECONDS = 10
/** Share of its limit from which on a spool counts as filling. */
const SPOOL_FILLING = 0.5

/** Why `/readyz` answers 503. */
export function notReady(
  settings: { REGISTRY_REFRESH_MS: number; SPOOL_BYTES_MAX: number },
  { ingest, spool }: { ingest: Ingest; spool: Spool },
): string[] {
  const reasons: string[] = []
  const ageMs = ingest.registry.ageMs()
  const { gate } = ingest
  if (gate.mode !== 'closed') {
    const seconds = Math.round(gate.awayMs(performance.now()) / 1000)
    reasons.push(
      `database away: it has taken nothing for ${seconds} s (${gate.reason}); messages go to the spool`,
    )
  } else if (ageMs > settings.REGISTRY_REFRESH_MS * DATABASE_AWAY_POLLS) {
    reasons.push(`database away: it has not answered for ${Math.round(ageMs / 1000)} s`)
  }
  if (spool.state !== 'ready') reasons.push(`spool ${spool.state}: ${spool.reason}`)
  if (spool.stats.bytes > settings.SPOOL_BYTES_MAX * SPOOL_FILLING) {
    const share = Math.round((spool.stats.bytes / settings.SPOOL_BYTES_MAX) * 100)
    reasons.push(`spool filling: ${share} % of SPOOL_BYTES_MAX`)
  }
  const waitedSeconds = ingest.oldestBatchSeconds()
  if (waitedSeconds > COMMIT_STALLED_SECONDS) {
    reasons.push(`no commit: a batch has been waiting for ${Math.round(waitedSeconds)} s`)
  }
  for (const [subject, account] of Object.entries(ingest.books)) {
    const off = imbalance(account)
    if (off !== 0) reasons.push(`books of ${subject} do not balance: ${off} received and not accounted for`)
  }
  return reasons
}
