// The evaluator's thread with a defect: once it is told to, it computes without an end.
import { workerData } from 'node:worker_threads'
import '../thread/evaluator-worker.ts'

const { loops } = workerData as { loops: Int32Array<SharedArrayBuffer> }

setInterval(() => {
  let rounds = 0
  while (Atomics.load(loops, 0) === 1) rounds += 1
  return rounds
}, 10).unref()
