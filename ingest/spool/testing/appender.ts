// A process that uses a spool until it is killed: appends batches in pairs, in several lanes at once, and takes them
// out again. Arguments: folder, first id, batches to append (then it waits), lanes, whether it drains. It prints a line for each
// thing that it is about to do or has been told, so that its parent knows what must be there.
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { SpoolFailedError, SpoolFullError } from '../errors.ts'
import { openSpool } from '../spool.ts'
import type { Spool } from '../types.ts'
import { testBatch } from './batches.ts'

const [folder = '', firstId = '1', count = '1', lanes = '1', drains = 'no'] = process.argv.slice(2)
const end = Number(firstId) + Number(count)
let next = Number(firstId)

/** At once and whole, also when the process is killed right after. */
function print(what: string, ids: readonly number[] = []): void {
  writeSync(1, `${[what, ...ids].join(' ')}\n`)
}

async function appendAll(spool: Spool): Promise<void> {
  while (next < end) {
    const ids = [next, next + 1]
    next += 2
    print('appending', ids)
    print(await append(spool, ids), ids)
  }
}

/** On a quick disk the spool may fill up before the process is killed, on a bad one it may fail. */
async function append(spool: Spool, ids: readonly number[]): Promise<string> {
  try {
    await spool.append(ids.map((id) => testBatch(id, { messages: 50, payloadBytes: 1_000 })))
    return 'appended'
  } catch (error) {
    if (error instanceof SpoolFailedError) return 'failed'
    if (!(error instanceof SpoolFullError)) throw error
    await sleep(20)
    return 'refused'
  }
}

async function drainAll(spool: Spool): Promise<void> {
  while (next < end) {
    await sleep(20)
    const batches = await spool.oldest({ batches: 8, bytes: 1_000_000 })
    const ids = batches.map(({ id }) => Number(id))
    print('removing', ids)
    await spool.remove(batches)
    print('removed', ids)
  }
}

process.on('SIGINT', () => print('interrupted'))

const spool = await openSpool({
  folder,
  bytesMax: 256 * 1_048_576,
  ageMaxMs: 3_600_000_000,
  now: Date.now,
  log: pino({ level: 'silent' }),
})
process.on('SIGTERM', () => void spool.close().then(() => print('closed')))
print('pid', [process.pid])
print('opened')
const work = Array.from({ length: Number(lanes) }, () => appendAll(spool))
if (drains === 'drains') work.push(drainAll(spool))
await Promise.all(work)
print('done')
