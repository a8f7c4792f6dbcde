import type { Draft, Message } from '../hub/message.ts'
import { Sessions } from './sessions.ts'
import { joinOf, type LoraFormat, loraItem, type NetworkMessage, uplinkOf, uplinkTopic } from './uplink.ts'

/** Makes the messages of a network server: one for each measurement, and a join before the first of each sensor. */
export class LoraEncoder {
  readonly #format: LoraFormat
  readonly #sessions: Sessions

  constructor(format: LoraFormat, startMs: number) {
    this.#format = format
    this.#sessions = new Sessions(startMs)
  }

  /** Where garbage in place of this draft is published. */
  topicOf({ items: [first] }: Draft): string {
    return uplinkTopic(this.#format, first?.device ?? '')
  }

  encode(draft: Draft): Message[] {
    return draft.channel === 'readings'
      ? draft.items.map(loraItem).flatMap((item) => this.#messages(item, { readings: [item], doors: [] }))
      : draft.items.flatMap((item) => this.#messages(item, { readings: [], doors: [item] }))
  }

  #messages(item: Draft['items'][number], counted: Pick<Message, 'readings' | 'doors'>): Message[] {
    const { session, isNew } = this.#sessions.next(item.device)
    const uplink = messageOf(uplinkOf(this.#format, item, session), counted)
    if (!isNew) return [uplink]
    return [messageOf(joinOf(this.#format, item, session), { readings: [], doors: [] }), uplink]
  }
}

function messageOf({ topic, json }: NetworkMessage, counted: Pick<Message, 'readings' | 'doors'>): Message {
  const payload = Buffer.from(JSON.stringify(json))
  return { topic, payload, ...counted, rejects: [], entry: undefined, isRepeat: false }
}
