import type { Ledger } from './ledger/ledger.ts'
import { formatLatency } from './progress.ts'
import type { RunResult } from './run.ts'

const MEGABYTE = 1e6

/** What a run has done, for people. */
export function formatRunSummary(result: RunResult, ledger: Ledger): string {
  const { counts, faultCounts, hubs, seconds, cpuSeconds } = result
  const rows = ledger.readingRows.keys.length + ledger.doorRows.keys.length
  const ledgerMegabytes = (ledger.readingRows.bytes + ledger.doorRows.bytes) / MEGABYTE
  const core = ((cpuSeconds / seconds) * 100).toFixed(0)
  const faults = Object.entries(faultCounts).map(([name, count]) => `${name} ${count}`)
  const lines = [
    [
      'ran',
      `${seconds.toFixed(1)} s with ${hubs} connections, then ${result.drainSeconds.toFixed(1)} s to drain`,
    ],
    ['published', `${counts.publishes} messages, ${counts.readings} readings (with those sent again)`],
    ['acknowledged', `${counts.acknowledged} messages; ${formatLatency(counts)}`],
    ['connections lost', `${counts.connectionsLost}, with ${counts.failed} messages in flight`],
    ['undelivered', `${result.undelivered} messages; ${counts.dropped} dropped by hubs`],
    ['not heard', `${counts.unheard} measurements while their hub was down`],
    ['answers', `${counts.receipts} receipts, ${counts.rejectAnswers} rejects, ${counts.commands} commands`],
    ['faults', faults.join(', ')],
    ['simulators', `${cpuSeconds.toFixed(1)} s CPU (${core} % of a core)`],
    ['ledger', `${rows} items in ${ledgerMegabytes.toFixed(1)} MB`],
  ]
  return lines.map(([label = '', text = '']) => `${label.padEnd(17)} ${text}`).join('\n')
}
