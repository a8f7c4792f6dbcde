import type { Link, LinkEvents, LogIn, OpenLink } from '../hub/link.ts'

interface FakePublish {
  topic: string
  payload: string
  acknowledge: () => void
}

/** A connection that does what the test says. */
export interface FakeLink {
  logIn: LogIn
  events: LinkEvents
  published: FakePublish[]
  subscribed: string[]
  isOpen: boolean
}

/** Links to nowhere; the newest one is the last of `opened`. Acknowledgements of a link that has ended are not heard. */
export function fakeLinks(): { openLink: OpenLink; opened: FakeLink[] } {
  const opened: FakeLink[] = []
  const openLink: OpenLink = (logIn, events): Link => {
    const link: FakeLink = { logIn, events, published: [], subscribed: [], isOpen: true }
    opened.push(link)
    return {
      publish: (topic, payload, acknowledged) => {
        const acknowledge = () => {
          if (link.isOpen) acknowledged()
        }
        link.published.push({ topic, payload: payload.toString(), acknowledge })
      },
      subscribe: (topics) => void link.subscribed.push(...topics),
      cut: () => loseLink(link, 'cut'),
      close: async () => {
        link.isOpen = false
      },
    }
  }
  return { openLink, opened }
}

/** The connection ends, as the network or the broker may end it. */
export function loseLink(link: FakeLink, reason: string, kind: 'lost' | 'refused' = 'lost'): void {
  if (!link.isOpen) return
  link.isOpen = false
  link.events.lost({ kind, reason })
}
