import { DeliveryFaults } from '../faults/delivery-faults.ts'
import type { FaultCounts } from '../faults/fault-counts.ts'
import { MessageFaults } from '../faults/message-faults.ts'
import { PublisherClock } from '../faults/publisher-clock.ts'
import { LoraEncoder } from '../lora/encoder.ts'
import type { LoraFormat } from '../lora/uplink.ts'
import { Random } from '../random.ts'
import type { FaultRates, Measurement, PublisherName } from '../types.ts'
import { Batcher } from './batcher.ts'
import { MessageBuffer } from './buffer.ts'
import {
  type Draft,
  encodeMessage,
  garbageMessage,
  type Message,
  ownDevice,
  sentItem,
  topicOf,
} from './message.ts'

/** How every hub of a run batches and keeps. */
export interface HubLimits {
  readingsPerMessageMax: number
  batchMs: number
  inFlightMax: number
  bufferMessagesMax: number
}

export interface OutboxOptions {
  publisher: PublisherName
  /** Set for a network server: what it speaks. */
  loraFormat?: LoraFormat | undefined
  seed: number
  rates: FaultRates
  faultCounts: FaultCounts
  limits: HubLimits
  /** When the run began; starts are numbered from here, so that no two runs share a `boot`. */
  startMs: number
  /** Told of each message that is given up. */
  onDropped: (message: Message) => void
}

/**
 * What a publisher does with measurements until they are acknowledged: it gives them its time, batches them into
 * numbered messages and keeps these, in order, in its buffer; on the way the faults of messages happen. Whether there is
 * a connection is not its concern, and it reads no clock of the machine: `nowMs` is passed in and never goes back.
 */
export class Outbox {
  readonly #options: OutboxOptions
  readonly #clock: PublisherClock
  readonly #messageFaults: MessageFaults
  readonly #deliveryFaults: DeliveryFaults
  readonly #batcher: Batcher
  readonly #buffer: MessageBuffer
  readonly #lora: LoraEncoder | undefined
  #boots = 1
  #seq = 0

  constructor(options: OutboxOptions) {
    const { publisher, loraFormat, seed, rates, limits, startMs, faultCounts: counts } = options
    const { bufferMessagesMax, inFlightMax, readingsPerMessageMax, batchMs } = limits
    this.#options = options
    this.#clock = new PublisherClock({
      random: new Random(seed, 'clock_drift', publisher),
      perHour: rates.clock_drift,
      startMs,
      onWrong: () => {
        counts.clock_drift += 1
      },
    })
    this.#messageFaults = new MessageFaults({ publisher, seed, rates, counts })
    this.#deliveryFaults = new DeliveryFaults({ publisher, seed, rates, counts, heldMax: bufferMessagesMax })
    this.#lora = loraFormat && new LoraEncoder(loraFormat, startMs)
    const isSingle = this.#lora !== undefined || ownDevice(publisher) !== undefined
    this.#batcher = new Batcher({
      readingsMax: isSingle ? 1 : readingsPerMessageMax,
      ...(this.#lora && { doorsMax: 1 }),
      batchMs,
    })
    this.#buffer = new MessageBuffer({ messagesMax: bufferMessagesMax, inFlightMax })
  }

  get inFlight(): number {
    return this.#buffer.inFlight
  }

  /** Messages that are kept, those in flight included. */
  get size(): number {
    return this.#buffer.size + this.#deliveryFaults.held
  }

  /** What the publisher's clock shows, epoch milliseconds. */
  shownMs(nowMs: number): number {
    return this.#clock.read(nowMs)
  }

  /** Takes what was measured since the last call, and makes the messages that are due. */
  take(measurements: readonly Measurement[], nowMs: number): void {
    for (const measurement of measurements) {
      if (this.#messageFaults.loses()) continue
      const at = this.#clock.stamp(measurement.devEui, measurement.measuredAtMs)
      this.#batcher.add(sentItem(measurement, at), nowMs)
    }
    for (const draft of this.#batcher.take(nowMs)) this.#queue(draft, nowMs)
    for (const message of this.#deliveryFaults.due(nowMs)) this.#keep(message)
  }

  /** Makes messages of all there is, due or not. */
  flush(nowMs: number): void {
    for (const draft of this.#batcher.takeAll()) this.#queue(draft, nowMs)
    for (const message of this.#deliveryFaults.releaseAll()) this.#keep(message)
  }

  /** A restart, without a connection: messages are numbered anew, and without flash nothing is left. */
  reboot(nowMs: number, keepsBuffer: boolean): void {
    const drafts = this.#batcher.takeAll()
    if (keepsBuffer) for (const draft of drafts) this.#queue(draft, nowMs)
    else this.#forget(drafts, nowMs)
    this.#boots += 1
    this.#seq = 0
  }

  /** The next message to send, which is then in flight. */
  next(): Message | undefined {
    return this.#buffer.next()
  }

  /** False when the message was not in flight on this connection. A duplicate on purpose is queued here. */
  acknowledge(message: Message, mayRepeat: boolean): boolean {
    if (!this.#buffer.acknowledge(message)) return false
    if (mayRepeat && this.#deliveryFaults.repeats(message)) this.#keep({ ...message, isRepeat: true })
    return true
  }

  /** What was in flight is to be sent again; returns how many messages that is. */
  connectionLost(): number {
    return this.#buffer.connectionLost()
  }

  #forget(drafts: readonly Draft[], nowMs: number): void {
    const unsent = drafts.flatMap((draft) => this.#encode(draft, nowMs))
    const messages = [...this.#buffer.clear(), ...this.#deliveryFaults.releaseAll(), ...unsent]
    for (const message of messages) this.#options.onDropped(message)
  }

  #queue(good: Draft, nowMs: number): void {
    const { publisher } = this.#options
    const { garbage, draft } = this.#messageFaults.spoil(good)
    const topic = this.#lora?.topicOf(draft) ?? topicOf(publisher, draft.channel)
    if (garbage) this.#keep(garbageMessage(topic, garbage))
    for (const encoded of this.#encode(draft, nowMs))
      for (const message of this.#deliveryFaults.pass(encoded, nowMs)) this.#keep(message)
  }

  #encode(draft: Draft, nowMs: number): Message[] {
    if (this.#lora) return this.#lora.encode(draft)
    const { publisher, startMs } = this.#options
    const boot = `${startMs.toString(36)}-${this.#boots}`
    const seq = this.#seq
    this.#seq += 1
    return [encodeMessage(publisher, draft, { boot, seq, sentAtMs: this.#clock.read(nowMs) })]
  }

  #keep(message: Message): void {
    const dropped = this.#buffer.push(message)
    if (dropped) this.#options.onDropped(dropped)
  }
}
