import { describeError } from './errors.ts'

/** The sentences that say why the spool is full or failed, for logs, errors and `/readyz`. */

export function limitReached(file: string, bytes: number, bytesMax: number): string {
  return (
    `The spool ${file} is full: with the next batches it could take ${bytes} bytes, and it may take ${bytesMax}. ` +
    'Hubs wait with what they send until batches have been stored in PostgreSQL. Bring the database back, or raise ' +
    'the limit if the disk has room.'
  )
}

export function tooLarge(file: string, bytes: number, bytesMax: number): string {
  return (
    `The spool ${file} can never take this append: it needs ${bytes} bytes, and the spool may take ${bytesMax}. ` +
    'Raise the limit, or make batches smaller.'
  )
}

export function diskFull(file: string): string {
  return (
    `The disk of the spool ${file} has no room for the next batches. Hubs wait with what they send. Free some space: ` +
    'the spool goes on by itself.'
  )
}

export function tooOld(file: string, oldestReceivedAtMs: number, ageMaxMs: number): string {
  return (
    `The spool ${file} holds messages since ${new Date(oldestReceivedAtMs).toISOString()}, which is longer than the ` +
    `limit of ${ageMaxMs} ms, so it takes no more. Nothing is dropped; hubs wait with what they send until the oldest ` +
    'batches have been stored in PostgreSQL. Bring the database back.'
  )
}

export function diskFailed(file: string, error: unknown): string {
  return (
    `The spool ${file} cannot be written or read any more: ${describeError(error)}. Nothing is appended to it; what it ` +
    'holds stays in it. Check the disk, then start again.'
  )
}

export function fileGone(file: string): string {
  return (
    `The spool ${file} was removed or moved while it was in use. What it held is in the moved file, if there is one. ` +
    'Stop, put that file back if it is to be stored in PostgreSQL, and start again.'
  )
}

export function batchDamaged(file: string, id: bigint, count: number): string {
  return (
    `The spool ${file} holds ${count} damaged batch(es), the last one found is ${id}: their bytes are not what was ` +
    'written. They stay in the file and are passed over; nothing is appended any more. Let the others be stored in ' +
    'PostgreSQL, stop, move the file away to recover what can be recovered, and start again with a new one.'
  )
}

export function threadDied(file: string, why: string): string {
  return `The thread of the spool ${file} has died: ${why}. What it had acknowledged is in the file. Start again to open it.`
}

export function contentUnknown(file: string, id: bigint, error: unknown): string {
  return (
    `The spool ${file} holds batch ${id} in a form that this version cannot read: ${describeError(error)}. ` +
    'It stays in the file. Start the version of FrostGuard that wrote it.'
  )
}

export function isClosed(file: string): string {
  return `The spool ${file} is closed: nothing can be appended, read or removed any more.`
}
