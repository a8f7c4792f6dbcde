import type { Draft } from '../hub/message.ts'
import { isNetworkServer } from '../publishers.ts'
import { Random } from '../random.ts'
import type { FaultRates, PublisherName } from '../types.ts'
import { badItem, garbage } from './bad-items.ts'
import type { FaultCounts } from './fault-counts.ts'

/** What becomes of a draft: `garbage` is sent before it, as a message of its own. */
export interface Spoiled {
  garbage: Buffer | undefined
  draft: Draft
}

/** What goes wrong with the content of one publisher's messages: missing, out_of_order (within one) and malformed. */
export class MessageFaults {
  readonly #publisher: PublisherName
  readonly #rates: FaultRates
  readonly #counts: FaultCounts
  readonly #missing: Random
  readonly #shuffled: Random
  readonly #malformed: Random

  constructor(options: {
    seed: number
    publisher: PublisherName
    rates: FaultRates
    counts: FaultCounts
  }) {
    const { seed, publisher } = options
    this.#publisher = publisher
    this.#rates = options.rates
    this.#counts = options.counts
    this.#missing = new Random(seed, 'missing', publisher)
    this.#shuffled = new Random(seed, 'shuffled', publisher)
    this.#malformed = new Random(seed, 'malformed', publisher)
  }

  /** Whether a reading or event is never sent. */
  loses(): boolean {
    const lost = this.#missing.chance(this.#rates.missing)
    if (lost) this.#counts.missing += 1
    return lost
  }

  spoil(draft: Draft): Spoiled {
    const shuffled = this.#shuffle(draft)
    const random = this.#malformed
    const [first] = shuffled.items
    if (!first || !random.chance(this.#rates.malformed)) return { garbage: undefined, draft: shuffled }
    this.#counts.malformed += 1
    // A network server sends its own JSON, or none: there are no neighbours in it to be spared.
    if (random.chance(0.5) || isNetworkServer(this.#publisher))
      return { garbage: garbage(random), draft: shuffled }
    const { channel } = shuffled
    const bad = badItem(random, this.#publisher, { channel, device: first.device, at: first.at })
    return { garbage: undefined, draft: { ...shuffled, bad } }
  }

  /** Half of the out-of-order faults mix the items of a message; the other half is `DeliveryFaults`'. */
  #shuffle(draft: Draft): Draft {
    if (draft.items.length < 2 || !this.#shuffled.chance(this.#rates.out_of_order / 2)) return draft
    this.#counts.out_of_order += 1
    const shuffle = <Item>(items: readonly Item[]) => shuffled(this.#shuffled, items)
    return draft.channel === 'readings'
      ? { ...draft, items: shuffle(draft.items) }
      : { ...draft, items: shuffle(draft.items) }
  }
}

/** Fisher and Yates. */
function shuffled<Item>(random: Random, items: readonly Item[]): Item[] {
  const mixed = [...items]
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = random.integer(0, last)
    const item = mixed[last] as Item
    mixed[last] = mixed[other] as Item
    mixed[other] = item
  }
  return mixed
}
