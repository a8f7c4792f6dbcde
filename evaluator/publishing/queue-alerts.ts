import type { ClientBase } from 'pg'
import { type AlertFactsRow, readAlertFacts } from '../../db/publishing/alert-facts.ts'
import { lockOutgoing, putOutgoing } from '../../db/publishing/outgoing.ts'
import { together } from '../../db/together.ts'
import type { AlertMessage, AlertTransition } from '../../ingest/operator-payloads.ts'

export interface Transition {
  alertId: number
  transition: AlertTransition
}

/**
 * Puts a message to the operators of its organization for each transition of an alert, within the transaction that makes
 * them: at its end, as a message says how the alert is then. In order; an alert that did something else as well has not
 * merely been amended.
 */
export async function queueAlertTransitions(
  client: ClientBase,
  transitions: readonly Transition[],
  nowMs: number,
): Promise<void> {
  const wanted = worthTelling(transitions)
  if (wanted.length === 0) return
  const [, rows] = await together(client, [
    () => lockOutgoing(client),
    () => readAlertFacts(client, [...new Set(wanted.map(({ alertId }) => alertId))]),
  ])
  const facts = new Map(rows.map((row) => [row.alertId, row]))
  const messages = wanted.flatMap(({ alertId, transition }) => {
    const row = facts.get(alertId)
    return row ? [messageOf(row, transition, nowMs)] : []
  })
  await putOutgoing(client, messages)
}

/** Each transition of an alert once. */
export function worthTelling(transitions: readonly Transition[]): Transition[] {
  return [...Map.groupBy(transitions, ({ alertId }) => alertId)].flatMap(([alertId, ofAlert]) => {
    const names = [...new Set(ofAlert.map(({ transition }) => transition))]
    const telling = names.length > 1 ? names.filter((name) => name !== 'amended') : names
    return telling.map((transition) => ({ alertId, transition }))
  })
}

function messageOf(row: AlertFactsRow, transition: AlertTransition, nowMs: number) {
  const { alertId, slug, alert, ...facts } = row
  const message: AlertMessage = { alert, transition, ...facts, time: nowMs }
  return { topic: `v1/orgs/${slug}/alerts`, payload: JSON.stringify(message), retain: false }
}
