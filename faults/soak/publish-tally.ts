import { hash } from 'node:crypto'
import type { Client } from 'pg'
import type { OpenLink } from '../../simulators/hub/link.ts'

/** By topic and bytes of a message: how often it was sent. */
type Sends = Map<string, number>

const EXAMPLES_MAX = 10

/**
 * Counts what goes over the wire, so that each rejected message can be compared for itself: a hub that sends a message
 * twice may find it rejected twice, but not more often than it has sent it.
 */
export class PublishTally {
  readonly #sends: Sends = new Map()

  /** The same links, with what they publish counted. */
  counting(openLink: OpenLink): OpenLink {
    return (logIn, events) => {
      const link = openLink(logIn, events)
      return {
        ...link,
        publish: (topic, payload, acknowledged) => {
          const key = keyOf(topic, hash('md5', payload))
          this.#sends.set(key, (this.#sends.get(key) ?? 0) + 1)
          link.publish(topic, payload, acknowledged)
        },
      }
    }
  }

  /** Sentences about messages that are kept as rejected more often than they were sent. Each has one bad item at most. */
  async problems(client: Client): Promise<string[]> {
    const { rows } = await client.query<{ topic: string; digest: string; reason: string; kept: number }>(
      `SELECT p.topic, md5(p.payload) AS digest, min(m.reason::text) AS reason, count(*)::int AS kept
       FROM pipeline.rejected_messages m JOIN pipeline.rejected_payloads p ON p.id = m.payload_id GROUP BY 1, 2`,
    )
    const off = rows.flatMap(({ topic, digest, reason, kept }) => {
      const sent = this.#sends.get(keyOf(topic, digest)) ?? 0
      return kept > sent ? [`${topic} (${reason}): kept ${kept} times, sent ${sent} times`] : []
    })
    if (off.length === 0) return []
    return [
      `${off.length} rejected messages are kept more often than sent: ${off.slice(0, EXAMPLES_MAX).join('; ')}.`,
    ]
  }
}

function keyOf(topic: string, digest: string): string {
  return `${topic} ${digest}`
}
