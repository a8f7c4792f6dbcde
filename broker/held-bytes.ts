/**
 * What a held message takes beside its frame and what is made of it: the packet, the arrival, its callbacks.
 * Measured by `npm run test:soak` (faults/pressure-memory.soak.test.ts), with some room.
 */
const HELD_MESSAGE_BYTES = 2_048
/** What readings take when they are decoded, by their bytes as JSON; measured there too. Used until `decodedBytes` is set. */
const DECODED_BYTES_PER_FRAME_BYTE = 3

/** See `HeldBytes`. */
const SHARE_OF_FREE = 1 / 8
const PART_FOR_FIRST_MESSAGES = 1 / 5
const PART_FOR_BACKLOG = 1 / 2

/** What one username holds, over all its connections. */
interface Share {
  readonly username: string
  bytes: number
  connections: number
  /** What it has sent last is old: it is draining what it has kept. */
  isBacklog: boolean
}

export interface HeldBytesOptions {
  bytesMax: number
  /** Told when a connection of this username begins to wait. */
  onWait: (username: string) => void
}

/** The memory that a message is counted with until it is durable, by its frame and what has been made of it. */
function heldCost(frameBytes: number, decodedBytes = frameBytes * DECODED_BYTES_PER_FRAME_BYTE): number {
  return HELD_MESSAGE_BYTES + frameBytes + decodedBytes
}

/**
 * Bounds the messages that wait for their commit, as memory. While they are too many, a connection is not read past
 * its next PUBLISH: the pressure goes back to the hub through TCP instead of into the heap, and whatever else clients
 * send (CONNECT, SUBSCRIBE, PINGREQ) is still served.
 *
 * A username that holds something may begin another message while it holds less than an eighth of what is still free,
 * a fifth of all left aside: one that floods gets a tenth or so, and others do not queue for long behind what it has
 * begun. That fifth is for those that hold nothing. Usernames that are known to drain a backlog begin nothing while
 * they hold half of all together, also where that leaves one of them nothing for now. The limit is passed by one message at most.
 */
export class HeldBytes {
  readonly #options: HeldBytesOptions
  readonly #shares = new Map<string, Share>()
  /** In the order in which they are asked again. */
  readonly #waiting = new Set<Admission>()
  #bytes = 0
  /** Of these, held by those that drain a backlog. */
  #backlogBytes = 0
  #asking: NodeJS.Immediate | undefined

  constructor(options: HeldBytesOptions) {
    this.#options = options
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Connections that are not read because their next PUBLISH must wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** For a connection that has logged in; `onTurn` is called when it may be read again. */
  join(username: string, onTurn: () => void): Admission {
    const share = this.#shares.get(username) ?? { username, bytes: 0, connections: 0, isBacklog: false }
    this.#shares.set(username, share)
    share.connections++
    return new Admission(this, share, onTurn)
  }

  /** Whether a message may begin now; if so, its cost is counted. */
  take(share: Share, cost: number): boolean {
    if (!this.#hasRoom(share)) return false
    this.#count(share, cost)
    return true
  }

  give(share: Share, cost: number): void {
    this.#count(share, -cost)
    this.#forgetIfUnused(share)
    // Once a turn: a batch gives back thousands at a time.
    if (this.#waiting.size > 0) this.#asking ??= setImmediate(() => this.#askWaiting())
  }

  noteBacklog(share: Share, isBacklog: boolean): void {
    if (share.isBacklog === isBacklog) return
    share.isBacklog = isBacklog
    this.#backlogBytes += isBacklog ? share.bytes : -share.bytes
  }

  wait(admission: Admission): void {
    this.#options.onWait(admission.share.username)
    this.#waiting.add(admission)
  }

  leave(admission: Admission, share: Share): void {
    this.#waiting.delete(admission)
    share.connections--
    this.#forgetIfUnused(share)
  }

  #askWaiting(): void {
    this.#asking = undefined
    // One that is read may wait again at once; then it is at the end of the set, and is asked after the others.
    for (const admission of this.#waiting) {
      if (!this.#hasRoom(admission.share)) continue
      this.#waiting.delete(admission)
      admission.endWait()
    }
  }

  #hasRoom(share: Share): boolean {
    const { bytesMax } = this.#options
    if (share.isBacklog && this.#backlogBytes >= bytesMax * PART_FOR_BACKLOG) return false
    if (share.bytes === 0) return this.#bytes < bytesMax
    return share.bytes < (bytesMax * (1 - PART_FOR_FIRST_MESSAGES) - this.#bytes) * SHARE_OF_FREE
  }

  #count(share: Share, bytes: number): void {
    share.bytes += bytes
    this.#bytes += bytes
    if (share.isBacklog) this.#backlogBytes += bytes
  }

  #forgetIfUnused({ username, bytes, connections }: Share): void {
    if (bytes === 0 && connections === 0) this.#shares.delete(username)
  }
}

/** What one connection may begin, and what it has begun that has not come out of the parser yet. */
export class Admission {
  readonly share: Share
  readonly #held: HeldBytes
  readonly #onTurn: () => void
  #arriving = 0
  #isWaiting = false

  /** By `HeldBytes.join` only. */
  constructor(held: HeldBytes, share: Share, onTurn: () => void) {
    this.#held = held
    this.share = share
    this.#onTurn = onTurn
  }

  /** Its next PUBLISH must wait: what comes behind it cannot be read either. */
  get isWaiting(): boolean {
    return this.#isWaiting
  }

  /** A PUBLISH begins, by the length of its frame. False: it must wait until `onTurn`. */
  begin(frameBytes: number): boolean {
    const cost = heldCost(frameBytes)
    if (this.#held.take(this.share, cost)) {
      this.#arriving += cost
      return true
    }
    this.#isWaiting = true
    this.#held.wait(this)
    return false
  }

  /** A last will, whose client cannot wait: its cost, or undefined when there is no room for it. */
  holdNow(frameBytes: number): number | undefined {
    const cost = heldCost(frameBytes)
    return this.#held.take(this.share, cost) ? cost : undefined
  }

  /** A PUBLISH has come out of the parser; returns what is to be given back when it is acknowledged. */
  arrive(frameBytes: number): number {
    const cost = heldCost(frameBytes)
    this.#arriving -= cost
    return cost
  }

  /** Whether what has arrived last is old: then its username is draining a backlog, until something else arrives. */
  noteBacklog(isBacklog: boolean): void {
    this.#held.noteBacklog(this.share, isBacklog)
  }

  /** What has been made of an arrived message is known now: its cost from now on. */
  correct(cost: number, frameBytes: number, decodedBytes: number): number {
    const corrected = heldCost(frameBytes, decodedBytes)
    this.#held.give(this.share, cost - corrected)
    return corrected
  }

  giveBack(cost: number): void {
    this.#held.give(this.share, cost)
  }

  endWait(): void {
    this.#isWaiting = false
    this.#onTurn()
  }

  /** The connection has gone: what it had begun will not arrive. */
  leave(): void {
    this.#isWaiting = false
    this.#held.give(this.share, this.#arriving)
    this.#arriving = 0
    this.#held.leave(this, this.share)
  }
}
