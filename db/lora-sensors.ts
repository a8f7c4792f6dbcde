import type { Pool } from 'pg'
import { queryWithLimit } from './limited-query.ts'

/** What was heard of a device through its LoRaWAN network since it was last written down. */
export interface LoraSighting {
  deviceId: number
  /** The newest of all that follows, epoch milliseconds. */
  seenAtMs: number
  uplinks?: UplinkSighting | undefined
  join?: { atMs: number; joinEui: string | null; devAddr: string | null } | undefined
  /** Percent, as the sensor told its network. */
  battery?: { atMs: number; percent: number } | undefined
}

interface UplinkSighting {
  first: { fCnt: number; devAddr: string | null; atMs: number }
  last: { fCnt: number; devAddr: string | null; atMs: number }
  gaps: number
  resets: number
}

/** Frame counters have 32 bits, the columns of what is missing 31. */
const COUNT_MAX = 2_147_483_647

/**
 * Writes sightings down, in any order: older ones than what is known change nothing. These writes may be lost in a crash
 * of the server; the next sighting follows. A device that is heard this way for the first time gets its row.
 */
export async function recordLoraSightings(pool: Pool, sightings: readonly LoraSighting[]): Promise<void> {
  const sorted = [...sightings].sort((a, b) => a.deviceId - b.deviceId)
  await recordDevices(pool, sorted)
  const joined = sorted.filter(({ join }) => join)
  await addSensors(
    pool,
    sorted.filter(({ join, uplinks }) => join ?? uplinks),
  )
  // First the joins: with the new session's address, its first frame is no reset.
  if (joined.length > 0) await recordJoins(pool, joined)
  const heard = sorted.filter(({ uplinks }) => uplinks)
  if (heard.length > 0) await recordUplinks(pool, heard)
}

async function recordDevices(pool: Pool, sightings: readonly LoraSighting[]): Promise<void> {
  await queryWithLimit(
    pool,
    `WITH locked AS (
       SELECT id FROM public.devices WHERE id = ANY ($1::int4[]) ORDER BY id FOR NO KEY UPDATE
     )
     UPDATE public.devices d SET
       last_seen_at = greatest(d.last_seen_at, to_timestamp(g.seen_at_ms / 1000)),
       battery = coalesce(g.battery, d.battery)
     FROM unnest($1::int4[], $2::float8[], $3::int2[]) AS g (device_id, seen_at_ms, battery)
     JOIN locked l ON l.id = g.device_id
     WHERE d.id = g.device_id`,
    [
      sightings.map(({ deviceId }) => deviceId),
      sightings.map(({ seenAtMs }) => seenAtMs),
      sightings.map(({ battery }) => battery?.percent ?? null),
    ],
  )
}

async function addSensors(pool: Pool, sightings: readonly LoraSighting[]): Promise<void> {
  if (sightings.length === 0) return
  await queryWithLimit(
    pool,
    `INSERT INTO public.lora_sensors (organization_id, device_id, dev_eui)
     SELECT d.organization_id, d.id, d.device_eui FROM public.devices d
     WHERE d.id = ANY ($1::int4[]) AND d.deleted_at IS NULL AND NOT EXISTS (
       SELECT 1 FROM public.lora_sensors s WHERE s.dev_eui = d.device_eui AND s.deleted_at IS NULL)
     ORDER BY d.id
     ON CONFLICT (device_id) DO UPDATE SET deleted_at = NULL`,
    [sightings.map(({ deviceId }) => deviceId)],
  )
}

/** After a join nothing has been heard in the new session. */
async function recordJoins(pool: Pool, sightings: readonly LoraSighting[]): Promise<void> {
  await queryWithLimit(
    pool,
    `WITH given AS (
       SELECT device_id, to_timestamp(at_ms / 1000)::timestamptz(3) AS joined_at, join_eui, dev_addr
       FROM unnest($1::int4[], $2::float8[], $3::text[], $4::text[]) AS g (device_id, at_ms, join_eui, dev_addr)
     ), locked AS (
       SELECT id, device_id FROM public.lora_sensors
       WHERE device_id = ANY ($1::int4[]) AND deleted_at IS NULL ORDER BY device_id FOR NO KEY UPDATE
     )
     UPDATE public.lora_sensors s SET
       last_join_at = g.joined_at,
       join_eui = coalesce(g.join_eui, s.join_eui),
       dev_addr = CASE WHEN s.last_uplink_at > g.joined_at THEN s.dev_addr ELSE coalesce(g.dev_addr, s.dev_addr) END,
       last_f_cnt = CASE WHEN s.last_uplink_at > g.joined_at THEN s.last_f_cnt END
     FROM given g JOIN locked l ON l.device_id = g.device_id
     WHERE s.id = l.id AND (s.last_join_at IS NULL OR s.last_join_at < g.joined_at)`,
    [
      sightings.map(({ deviceId }) => deviceId),
      sightings.map(({ join }) => join?.atMs),
      sightings.map(({ join }) => join?.joinEui),
      sightings.map(({ join }) => join?.devAddr),
    ],
  )
}

/** What lies between the last frame known and the first of these is a gap or a reset like those among them. */
async function recordUplinks(pool: Pool, sightings: readonly LoraSighting[]): Promise<void> {
  await queryWithLimit(
    pool,
    `WITH given AS (
       SELECT device_id, first_f_cnt, first_dev_addr, to_timestamp(first_at_ms / 1000)::timestamptz(3) AS first_at,
         last_f_cnt, last_dev_addr, to_timestamp(last_at_ms / 1000)::timestamptz(3) AS last_at, gaps, resets
       FROM unnest($1::int4[], $2::int8[], $3::text[], $4::float8[], $5::int8[], $6::text[], $7::float8[], $8::int8[], $9::int8[])
         AS g (device_id, first_f_cnt, first_dev_addr, first_at_ms, last_f_cnt, last_dev_addr, last_at_ms, gaps, resets)
     ), steps AS (
       SELECT s.id, g.*,
         CASE WHEN g.first_at > s.last_uplink_at AND g.first_dev_addr IS NOT DISTINCT FROM s.dev_addr
           THEN g.first_f_cnt - s.last_f_cnt END AS step
       FROM given g JOIN public.lora_sensors s ON s.device_id = g.device_id AND s.deleted_at IS NULL
       ORDER BY s.device_id FOR NO KEY UPDATE OF s
     )
     UPDATE public.lora_sensors s SET
       last_f_cnt = CASE WHEN s.last_join_at > g.last_at THEN s.last_f_cnt ELSE g.last_f_cnt END,
       dev_addr = CASE WHEN s.last_join_at > g.last_at THEN s.dev_addr ELSE coalesce(g.last_dev_addr, s.dev_addr) END,
       last_uplink_at = g.last_at,
       f_cnt_gaps = least(s.f_cnt_gaps + g.gaps + greatest(coalesce(g.step, 0) - 1, 0), ${COUNT_MAX}),
       f_cnt_resets = least(s.f_cnt_resets + g.resets + CASE WHEN g.step < 0 THEN 1 ELSE 0 END, ${COUNT_MAX})
     FROM steps g
     WHERE s.id = g.id AND (s.last_uplink_at IS NULL OR s.last_uplink_at < g.last_at)`,
    [
      sightings.map(({ deviceId }) => deviceId),
      sightings.map(({ uplinks }) => uplinks?.first.fCnt),
      sightings.map(({ uplinks }) => uplinks?.first.devAddr),
      sightings.map(({ uplinks }) => uplinks?.first.atMs),
      sightings.map(({ uplinks }) => uplinks?.last.fCnt),
      sightings.map(({ uplinks }) => uplinks?.last.devAddr),
      sightings.map(({ uplinks }) => uplinks?.last.atMs),
      sightings.map(({ uplinks }) => uplinks?.gaps),
      sightings.map(({ uplinks }) => uplinks?.resets),
    ],
  )
}
