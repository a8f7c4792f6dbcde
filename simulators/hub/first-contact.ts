import type { LinkFailure, LogIn, OpenLink } from './link.ts'

/** Connects once and says goodbye, so that a run does not begin without a broker. Throws a sentence when it cannot. */
export async function makeFirstContact(openLink: OpenLink, logIn: LogIn, url: string): Promise<void> {
  const outcome = Promise.withResolvers<LinkFailure | undefined>()
  const link = openLink(logIn, {
    opened: () => outcome.resolve(undefined),
    lost: (failure) => outcome.resolve(failure),
    received: () => {},
  })
  const failure = await outcome.promise
  if (failure) throw contactError(failure, logIn.username, url)
  await link.close()
}

/** What to tell the user when a publisher does not get in. */
export function contactError({ kind, reason }: LinkFailure, username: string, url: string): Error {
  if (kind === 'refused') {
    return new Error(
      `The broker at ${url} refuses ${username} (${reason}). Expected is the credentials file that fleet:apply has ` +
        'written for the database of this broker; a lost secret is made anew with --rotate.',
    )
  }
  return new Error(
    `No MQTT broker can be reached at ${url} (${reason}). Start one with "npm start", or name another with --url.`,
  )
}
