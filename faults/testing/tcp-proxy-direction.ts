import type { Socket } from 'node:net'

/** What happens to the bytes of one direction. */
export interface DirectionFaults {
  /** Every byte arrives so much later. */
  delayMs?: number
  bytesPerSecond?: number
  /** Nothing arrives, not even the end; it is held by the sender's and our kernel until this is switched off. */
  isBlackHole?: boolean
  /** After so many bytes more: the connection is reset, or this direction becomes a black hole. */
  limit?: { bytes: number; action: 'reset' | 'black-hole' }
}

export interface DirectionOptions {
  from: Socket
  to: Socket
  faults: DirectionFaults
  onDelivered: (bytes: number) => void
  /** A limit with `reset` was reached. */
  onLimit: () => void
}

export interface Direction {
  setFaults(faults: DirectionFaults): void
  stop(): void
}

interface Chunk {
  bytes: Buffer
  readAtMs: number
}

export const NO_FAULTS: DirectionFaults = {}

/** Above it the sender is not read, so that it feels the fault through TCP. */
const QUEUED_BYTES_MAX = 65_536
/** A throttled direction passes some bytes so often. */
const SLICES_PER_SECOND = 20

/** Begins to pass bytes from one socket to another. */
export function openDirection(options: DirectionOptions): Direction {
  return new FaultyDirection(options)
}

class FaultyDirection implements Direction {
  readonly #options: DirectionOptions
  #faults: DirectionFaults
  #queue: Chunk[] = []
  #queuedBytes = 0
  #hasEnded = false
  #isStopped = false
  #bytesLeft = Number.POSITIVE_INFINITY
  #throttledUntilMs = 0
  #timer: NodeJS.Timeout | undefined
  #waitsForDrain = false

  constructor(options: DirectionOptions) {
    this.#options = options
    this.#faults = options.faults
    this.setFaults(options.faults)
    const { from, to } = options
    from.on('data', (bytes: Buffer) => this.#take(bytes))
    from.once('end', () => {
      this.#hasEnded = true
      this.#pass()
    })
    to.on('drain', () => {
      this.#waitsForDrain = false
      this.#pass()
    })
  }

  setFaults(faults: DirectionFaults): void {
    this.#faults = faults
    this.#bytesLeft = faults.limit?.bytes ?? Number.POSITIVE_INFINITY
    this.#throttledUntilMs = 0
    this.#pass()
  }

  stop(): void {
    this.#isStopped = true
    this.#queue = []
    clearTimeout(this.#timer)
  }

  get #isBlackHole(): boolean {
    return (
      this.#faults.isBlackHole === true ||
      (this.#bytesLeft <= 0 && this.#faults.limit?.action === 'black-hole')
    )
  }

  #take(bytes: Buffer): void {
    this.#queue.push({ bytes, readAtMs: performance.now() })
    this.#queuedBytes += bytes.length
    this.#pass()
    this.#readOrNot()
  }

  #readOrNot(): void {
    const { from } = this.#options
    if (this.#queuedBytes >= QUEUED_BYTES_MAX) from.pause()
    else if (from.isPaused()) from.resume()
  }

  /** Delivers what may be delivered now, and comes again when more may. */
  #pass(): void {
    clearTimeout(this.#timer)
    while (!this.#isStopped && !this.#isBlackHole && !this.#waitsForDrain) {
      const chunk = this.#queue[0]
      if (!chunk) break
      const waitMs = this.#waitMs(chunk)
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pass(), waitMs)
        break
      }
      this.#deliver(chunk)
    }
    if (this.#hasEnded && this.#queue.length === 0 && !this.#isStopped && !this.#isBlackHole) {
      this.#options.to.end()
    }
    if (!this.#isStopped) this.#readOrNot()
  }

  #waitMs({ readAtMs }: Chunk): number {
    const dueAtMs = readAtMs + (this.#faults.delayMs ?? 0)
    return Math.ceil(Math.max(dueAtMs, this.#throttledUntilMs) - performance.now())
  }

  #deliver(chunk: Chunk): void {
    const { to, onDelivered, onLimit } = this.#options
    const slice = chunk.bytes.subarray(0, Math.min(this.#sliceBytes(), this.#bytesLeft))
    chunk.bytes = chunk.bytes.subarray(slice.length)
    if (chunk.bytes.length === 0) this.#queue.shift()
    this.#queuedBytes -= slice.length
    this.#bytesLeft -= slice.length
    const { bytesPerSecond } = this.#faults
    if (bytesPerSecond !== undefined) {
      this.#throttledUntilMs = performance.now() + (slice.length / bytesPerSecond) * 1000
    }
    onDelivered(slice.length)
    this.#waitsForDrain = !to.write(slice)
    if (this.#bytesLeft > 0 || this.#faults.limit?.action !== 'reset') return
    // What was passed on must be on its way before the reset takes it back.
    this.#isStopped = true
    setImmediate(onLimit)
  }

  #sliceBytes(): number {
    const { bytesPerSecond } = this.#faults
    if (bytesPerSecond === undefined) return Number.POSITIVE_INFINITY
    return Math.max(1, Math.floor(bytesPerSecond / SLICES_PER_SECOND))
  }
}
