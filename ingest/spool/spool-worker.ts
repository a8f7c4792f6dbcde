// The spool's thread: fsync blocks it instead of the broker. It touches nothing but the file and its port.
import { parentPort, workerData } from 'node:worker_threads'
import { SpoolFile } from './spool-file.ts'
import type { SpoolAnswer, SpoolCalls, SpoolQuestion, SpoolWorkerData } from './worker-messages.ts'

/** How often the thread looks for room again while it is full, and tries again to delete what the disk did not take. */
const TIDY_MS = 2_000

if (!parentPort)
  throw new Error('spool-worker.ts is a worker thread: open the spool with openSpool of spool.ts')
const port = parentPort

const spool = open(workerData as SpoolWorkerData)
if (spool) serve(spool)

function open({ file, bytesMax }: SpoolWorkerData): SpoolFile | undefined {
  try {
    const opened = new SpoolFile({ file, bytesMax })
    post({ call: 0, answer: null, report: opened.report() })
    return opened
  } catch (error) {
    post({ call: 0, error: (error as Error).message, report: undefined })
    return undefined
  }
}

function serve(file: SpoolFile): void {
  const tidying = setInterval(() => {
    if (!file.isUntidy) return
    file.tidy()
    post({ call: 0, answer: null, report: file.report() })
  }, TIDY_MS)
  port.on('message', (asked: SpoolQuestion) => {
    if (asked.kind !== 'close') {
      post(answerTo(file, asked))
      return
    }
    clearInterval(tidying)
    close(file, asked.call)
    port.close()
  })
}

function close(file: SpoolFile, call: number): void {
  file.tidy()
  const report = file.report()
  file.close()
  post({ call, answer: null, report })
}

type FileQuestion = Exclude<SpoolQuestion, { kind: 'close' }>

function answerTo(file: SpoolFile, asked: FileQuestion): SpoolAnswer {
  const { call } = asked
  try {
    const answer = answerOf(file, asked)
    return { call, answer, report: file.report() }
  } catch (error) {
    return { call, error: (error as Error).message, report: file.report() }
  }
}

function answerOf(file: SpoolFile, asked: FileQuestion): SpoolCalls[keyof SpoolCalls]['answer'] {
  switch (asked.kind) {
    case 'append':
      return file.append(asked.question)
    case 'oldest':
      return file.oldest(asked.question)
    case 'remove':
      file.remove(asked.question)
      return null
  }
}

function post(answer: SpoolAnswer): void {
  port.postMessage(answer, buffersOf(answer))
}

/** Contents are handed over, not copied. */
function buffersOf(answer: SpoolAnswer): ArrayBuffer[] {
  if (!('answer' in answer) || !Array.isArray(answer.answer)) return []
  return answer.answer.flatMap((item) => (item && typeof item === 'object' ? [item.content.buffer] : []))
}
