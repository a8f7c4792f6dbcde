import type { ClientBase } from 'pg'
import type { alertSeverity } from '../schema/index.ts'
import { together } from '../together.ts'

/** What an episode and the alert that it is part of both say. Times are epoch milliseconds. */
export interface EpisodeFacts {
  ruleId: number | null
  conditionType: string
  severity: (typeof alertSeverity.enumValues)[number]
  startedAtMs: number
  /** At which the condition was first met. */
  triggeredAtMs: number
  /** Null while it runs. */
  endedAtMs: number | null
  /** 'rule_changed': it did not end, its rule did. Null while it runs. */
  resolution: 'recovered' | 'rule_changed' | null
  /** °C in hundredths, or percent × 100, or °C per window: what triggered, the limit, and the worst of it. */
  triggerCenti: number | null
  limitCenti: number | null
  peakCenti: number | null
  confirmedMs: number
  unknownMs: number
}

/** A row of `pipeline.rule_episodes`. */
export interface EpisodeRow extends EpisodeFacts {
  unitId: number
  deviceId: number
  ruleVersion: number
  /** Of its device, while it runs: whether the newest reading is good. */
  newestIsGood: boolean
}

/** Episodes to be forgotten: of a device in a unit that were triggered after one time, up to another (±Infinity = unbounded). */
export interface EpisodeRange {
  unitId: number
  deviceId: number
  /** Those of its doors, those of its readings, or its silences that run: of silence what is past is not judged again. */
  kind: 'doors' | 'readings' | 'silence' | 'calibration'
  afterMs: number
  toMs: number
}

/** All alerts of one rule in one unit (a null rule: a limit of the unit) that run, or end at a time or later. */
export interface EpisodeScope {
  unitId: number
  ruleId: number | null
  conditionType: string
  fromMs: number
}

/** Column → its type and its field, in the order of the statements below. */
const COLUMNS: Readonly<Record<string, [type: string, field: keyof EpisodeRow]>> = {
  unit_id: ['int4', 'unitId'],
  device_id: ['int4', 'deviceId'],
  rule_id: ['int4', 'ruleId'],
  condition_type: ['text', 'conditionType'],
  rule_version: ['int4', 'ruleVersion'],
  severity: ['alert_severity', 'severity'],
  started_at: ['instant', 'startedAtMs'],
  triggered_at: ['instant', 'triggeredAtMs'],
  ended_at: ['instant', 'endedAtMs'],
  resolution: ['text', 'resolution'],
  trigger_centi: ['int4', 'triggerCenti'],
  limit_centi: ['int4', 'limitCenti'],
  peak_centi: ['int4', 'peakCenti'],
  confirmed_ms: ['int8', 'confirmedMs'],
  unknown_ms: ['int8', 'unknownMs'],
  newest_is_good: ['bool', 'newestIsGood'],
}
const NAMES = Object.keys(COLUMNS)

const INSERT = `
  INSERT INTO pipeline.rule_episodes (${NAMES.join(', ')})
  SELECT ${Object.entries(COLUMNS)
    .map(([name, [type]]) => (type === 'instant' ? `to_timestamp(${name} / 1000)` : name))
    .join(', ')}
  FROM unnest(${Object.values(COLUMNS)
    .map(([type], index) => `$${index + 1}::${type === 'instant' ? 'float8' : type}[]`)
    .join(', ')}) AS given (${NAMES.join(', ')})`

const DELETE_SAME = `
  DELETE FROM pipeline.rule_episodes e
  USING unnest($1::int4[], $2::int4[], $3::int4[], $4::text[], $5::float8[], $6::float8[])
    AS given (unit_id, device_id, rule_id, condition_type, started_ms, triggered_ms)
  WHERE e.unit_id = given.unit_id AND e.device_id = given.device_id AND e.condition_type = given.condition_type
    AND e.rule_id IS NOT DISTINCT FROM given.rule_id AND e.started_at = to_timestamp(given.started_ms / 1000)
    AND e.triggered_at = to_timestamp(given.triggered_ms / 1000)`

const DELETE_RANGES = `
  DELETE FROM pipeline.rule_episodes e
  USING unnest($1::int4[], $2::int4[], $3::text[], $4::float8[], $5::float8[])
    AS given (unit_id, device_id, kind, after_ms, to_ms)
  WHERE e.unit_id = given.unit_id AND e.device_id = given.device_id
    AND CASE given.kind WHEN 'doors' THEN e.condition_type = 'door_open'
      WHEN 'calibration' THEN e.condition_type = 'calibration_due'
      WHEN 'silence' THEN e.condition_type = 'no_data' AND e.ended_at IS NULL
      ELSE e.condition_type NOT IN ('door_open', 'no_data', 'calibration_due', 'manual_log_overdue') END
    -- One that runs is among what was judged up to now, however long ago it was triggered.
    AND (e.triggered_at > to_timestamp(given.after_ms / 1000) OR given.to_ms = 'infinity' AND e.ended_at IS NULL) AND e.triggered_at <= to_timestamp(given.to_ms / 1000)
  RETURNING e.unit_id AS "unitId", e.rule_id AS "ruleId", e.condition_type AS "conditionType",
    (extract(epoch FROM e.started_at) * 1000)::float8 AS "fromMs"`

/**
 * Forgets the episodes of these ranges and writes others, which take the place of those of the same device, rule, start and trigger.
 * Returns where something was forgotten.
 */
export async function replaceEpisodes(
  client: ClientBase,
  ranges: readonly EpisodeRange[],
  episodes: readonly EpisodeRow[],
): Promise<EpisodeScope[]> {
  const [forgotten] = await together(client, [
    () => deleteRanges(client, ranges),
    () => writeEpisodes(client, episodes),
  ])
  return forgotten
}

async function writeEpisodes(client: ClientBase, episodes: readonly EpisodeRow[]): Promise<void> {
  if (episodes.length === 0) return
  const column = (field: keyof EpisodeRow) => episodes.map((episode) => episode[field])
  const same = [
    ...[column('unitId'), column('deviceId'), column('ruleId'), column('conditionType')],
    ...[column('startedAtMs'), column('triggeredAtMs')],
  ]
  await together(client, [
    () => client.query(DELETE_SAME, same),
    () =>
      client.query(
        INSERT,
        Object.values(COLUMNS).map(([, field]) => column(field)),
      ),
  ])
}

async function deleteRanges(client: ClientBase, ranges: readonly EpisodeRange[]): Promise<EpisodeScope[]> {
  if (ranges.length === 0) return []
  const { rows } = await client.query<EpisodeScope>(DELETE_RANGES, [
    ranges.map(({ unitId }) => unitId),
    ranges.map(({ deviceId }) => deviceId),
    ranges.map(({ kind }) => kind),
    ranges.map(({ afterMs }) => afterMs),
    ranges.map(({ toMs }) => toMs),
  ])
  return rows
}

const READ = `
  SELECT ${Object.entries(COLUMNS)
    .map(([name, [type, field]]) => {
      const value = type === 'instant' ? `(extract(epoch FROM e.${name}) * 1000)::float8` : `e.${name}`
      return `${type === 'int8' ? `${value}::float8` : value} AS "${field}"`
    })
    .join(', ')}
  FROM unnest($1::int4[], $2::int4[], $3::text[], $4::float8[]) AS given (unit_id, rule_id, condition_type, from_ms)
  JOIN pipeline.rule_episodes e ON e.unit_id = given.unit_id AND e.condition_type = given.condition_type
    AND e.rule_id IS NOT DISTINCT FROM given.rule_id
    AND (e.ended_at IS NULL OR e.ended_at >= to_timestamp(given.from_ms / 1000))
  ORDER BY e.unit_id, e.started_at`

/** The episodes of each scope, which must be distinct. */
export async function readEpisodes(
  client: ClientBase,
  scopes: readonly EpisodeScope[],
): Promise<EpisodeRow[]> {
  if (scopes.length === 0) return []
  const { rows } = await client.query<EpisodeRow>(READ, [
    scopes.map(({ unitId }) => unitId),
    scopes.map(({ ruleId }) => ruleId),
    scopes.map(({ conditionType }) => conditionType),
    scopes.map(({ fromMs }) => fromMs),
  ])
  return rows
}
