import { setTimeout as sleep } from 'node:timers/promises'
import { freeze, holdLock, killBackend, untilServerAnswers } from '../testing/postgres.ts'
import type { FaultKind } from './fault-kinds.ts'
import type { PlannedFault } from './schedule.ts'
import type { Stack } from './stack.ts'

/** What has been done to the stack: how often each fault, and how many processes ended by kill -9. */
export interface FaultBooks {
  faults: Record<string, number>
  kills: { service: number; postgres: number }
  /** Faults that could not be had, such as a lock in a database that was away. */
  missed: number
}

export function openFaultBooks(): FaultBooks {
  return { faults: {}, kills: { service: 0, postgres: 0 }, missed: 0 }
}

type Action = (stack: Stack, fault: PlannedFault, books: FaultBooks) => Promise<void>

const DELAY_MS = 150

const ACTIONS: Record<FaultKind, Action> = {
  'kill service': killService,
  'kill starting service': async (stack, fault, books) => {
    await killService(stack, { ...fault, lastsMs: 0 }, books)
    await sleep(fault.lastsMs)
    await killService(stack, { ...fault, lastsMs: 0 }, books)
  },
  'stop service': async ({ service }, { lastsMs }) => {
    await service.end('SIGTERM')
    await sleep(lastsMs)
    service.start()
  },
  'kill postgres': async ({ postgres }, { lastsMs }, books) => {
    await postgres.kill()
    books.kills.postgres += 1
    await sleep(lastsMs)
    await postgres.start()
  },
  'kill backend': async ({ postgres }, { lastsMs, share }) => {
    if (!killBackend(postgres, share)) throw new Error('PostgreSQL has no connection')
    await sleep(lastsMs)
    await untilServerAnswers(postgres.url)
  },
  'stop postgres': async ({ postgres }, { lastsMs }) => {
    await postgres.stop('immediate')
    await sleep(lastsMs)
    await postgres.start()
  },
  'freeze postgres': ({ postgres }, { lastsMs }) => freeze(postgres, lastsMs),
  'lock readings': ({ postgres }, { lastsMs }) => holdLock(postgres.url, 'sensor_readings', lastsMs),
  'lock ledger': ({ postgres }, { lastsMs }) => holdLock(postgres.url, 'pipeline.ingest_batches', lastsMs),
  'reset database': async ({ databaseProxy }) => void databaseProxy.reset(),
  'cut statements': async ({ databaseProxy }, { lastsMs, bytes }) => {
    databaseProxy.setFaults({ toTarget: { limit: { bytes, action: 'reset' } } })
    await sleep(lastsMs)
    databaseProxy.setFaults({})
  },
  'cut answers': async ({ databaseProxy }, { lastsMs, bytes }) => {
    databaseProxy.setFaults({ toClient: { limit: { bytes, action: 'reset' } } })
    await sleep(lastsMs)
    databaseProxy.setFaults({})
  },
  'swallow answers': async ({ databaseProxy }, { lastsMs, bytes, share }) => {
    databaseProxy.setFaults({ toClient: { limit: { bytes, action: 'black-hole' } } })
    await sleep(lastsMs)
    // One time in two the answers come late after all.
    if (share < 0.5) databaseProxy.reset()
    databaseProxy.setFaults({})
  },
  'delay database': async ({ databaseProxy }, { lastsMs, share }) => {
    const delayMs = share * DELAY_MS
    databaseProxy.setFaults({ toTarget: { delayMs }, toClient: { delayMs } })
    await sleep(lastsMs)
    databaseProxy.setFaults({})
  },
  'cut hubs': async ({ hubProxy }) => void hubProxy.reset(),
  'cut PUBACKs': async ({ hubProxy }, { lastsMs, bytes }) => {
    hubProxy.setFaults({ toClient: { limit: { bytes: Math.ceil(bytes / 100), action: 'reset' } } })
    await sleep(lastsMs)
    hubProxy.setFaults({})
  },
  'delay hubs': async ({ hubProxy }, { lastsMs, share }) => {
    const delayMs = share * DELAY_MS
    hubProxy.setFaults({ toTarget: { delayMs }, toClient: { delayMs } })
    await sleep(lastsMs)
    hubProxy.setFaults({})
  },
}

/** Makes a fault and mends it; resolves when it is mended, not when everything has recovered from it. */
export async function inject(stack: Stack, fault: PlannedFault, books: FaultBooks): Promise<void> {
  await sleep(fault.delayMs)
  books.faults[fault.kind] = (books.faults[fault.kind] ?? 0) + 1
  try {
    await ACTIONS[fault.kind](stack, fault, books)
  } catch (error) {
    // A lock that another fault takes away, a backend that nobody has: anything else must not pass.
    if (!isHarmless(fault.kind)) throw error
    books.missed += 1
  }
}

function isHarmless(kind: FaultKind): boolean {
  return kind === 'lock readings' || kind === 'lock ledger' || kind === 'kill backend'
}

async function killService({ service }: Stack, { lastsMs }: PlannedFault, books: FaultBooks): Promise<void> {
  if (await service.end('SIGKILL')) books.kills.service += 1
  else books.missed += 1
  await sleep(lastsMs)
  service.start()
}
