import type { Subject } from '../message.ts'
import type { ReadLimits, SpoolStats } from './types.ts'

/** A batch on its way to or from the file. */
export interface EncodedBatch {
  id: bigint
  writer: string
  tried: boolean
  messages: number
  items: Record<Subject, number>
  /** The earliest arrival among its messages, epoch milliseconds. */
  receivedAtMs: number
  /** `encodeMessages` made it. */
  content: Uint8Array<ArrayBuffer>
}

/** Why the file takes no batches at the moment (`full`) or not any more (`failed`). */
export interface Trouble {
  state: 'full' | 'failed'
  reason: string
}

/** What the thread can be asked; `append` answers for each append why it was refused, or null. */
export interface SpoolCalls {
  append: { question: EncodedBatch[][]; answer: (string | null)[] }
  oldest: { question: ReadLimits; answer: EncodedBatch[] }
  remove: { question: { id: bigint; writer: string }[]; answer: null }
  close: { question: null; answer: null }
}

export interface SpoolWorkerData {
  file: string
  bytesMax: number
}

export type SpoolQuestion = {
  [K in keyof SpoolCalls]: { call: number; kind: K; question: SpoolCalls[K]['question'] }
}[keyof SpoolCalls]

export interface SpoolReport {
  stats: SpoolStats
  trouble: Trouble | undefined
}

/** An answer, or news without a question (`call` 0): the first says whether the file could be opened. */
export type SpoolAnswer =
  | { call: number; answer: SpoolCalls[keyof SpoolCalls]['answer']; report: SpoolReport }
  | { call: number; error: string; report: SpoolReport | undefined }
