import type { ClientBase } from 'pg'
import { readUnitAlerts, type StoredAlert } from '../db/evaluation/alert-rows.ts'
import { type EpisodeRow, type EpisodeScope, readEpisodes } from '../db/evaluation/episodes.ts'
import { together } from '../db/together.ts'

/** All of one rule in one unit from a time on: what was found, and the alerts that there are. */
export interface ScopeContents {
  scope: EpisodeScope
  episodes: EpisodeRow[]
  alerts: StoredAlert[]
}

/** Each rule of each unit once, from the earliest time asked for. */
function distinctScopes(scopes: readonly EpisodeScope[]): EpisodeScope[] {
  const distinct = new Map<string, EpisodeScope>()
  for (const scope of scopes) {
    const known = distinct.get(scopeKey(scope))
    if (known === undefined) distinct.set(scopeKey(scope), { ...scope })
    else known.fromMs = Math.min(known.fromMs, scope.fromMs)
  }
  return [...distinct.values()]
}

function scopeKey({
  unitId,
  ruleId,
  conditionType,
}: Pick<EpisodeScope, 'unitId' | 'ruleId' | 'conditionType'>): string {
  return `${unitId} ${ruleId ?? ''} ${conditionType}`
}

/**
 * Reads scopes back to where nothing overlaps any more: what touches an episode may touch an older one, or be part of the same
 * alert. Each scope is read again as often as it has grown.
 */
export async function readScopes(
  client: ClientBase,
  scopes: readonly EpisodeScope[],
): Promise<ScopeContents[]> {
  const done: ScopeContents[] = []
  let open = distinctScopes(scopes)
  while (open.length > 0) {
    const scopesNow = open
    const [readNow, alertsNow] = await together(client, [
      () => readEpisodes(client, scopesNow),
      () => readUnitAlerts(client, scopesNow),
    ])
    const episodes = Map.groupBy(readNow, scopeKey)
    const alerts = Map.groupBy(alertsNow, ({ facts }) => scopeKey({ ...facts, unitId: facts.unitId ?? 0 }))
    const grown: EpisodeScope[] = []
    for (const scope of open) {
      const key = scopeKey(scope)
      const found = { scope, episodes: episodes.get(key) ?? [], alerts: alerts.get(key) ?? [] }
      const fromMs = earliest(found)
      if (fromMs < scope.fromMs) grown.push({ ...scope, fromMs })
      else done.push(found)
    }
    open = grown
  }
  return done
}

function earliest({ scope, episodes, alerts }: ScopeContents): number {
  const starts = [
    ...episodes.map(({ startedAtMs }) => startedAtMs),
    ...alerts.map(({ facts }) => facts.startedAtMs),
  ]
  return starts.reduce((a, b) => Math.min(a, b), scope.fromMs)
}
