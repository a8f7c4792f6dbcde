// @ts-nocheck
import { Pool } from 'pg'
import { pino } from 'pino'
import { test } from 'vitest'
import { expireHubs, recordSightings } from './db/hubs.ts'
import { saveReceipts } from './db/receipts.ts'
import { writeBatch } from './db/batches/write-batch.ts'
import { createTestFleet } from './db/testing/fleet.ts'
import { createTestDatabase } from './db/testing/test-database.ts'
import { commitSealed } from './ingest/commit.ts'
import { sealBatch } from './ingest/batch.ts'
import { testMessage } from './ingest/testing/messages.ts'
import { noteDurable, passOverOldGaps } from './ingest/receipt-tracker.ts'
import { createBatchIds } from './db/batches/batch-id.ts'
const out = (...a) => process.stderr.write(a.map((x) => typeof x === 'string' ? x : JSON.stringify(x)).join(' ') + '\n')
const O = { statementTimeoutMs: 30_000, expectDuplicates: false }
test('E12 deadlocks', async () => {
  const database = await createTestDatabase()
  const pool = new Pool({ connectionString: database.url, max: 8 })
  const fleet = await createTestFleet(pool, { slug: 'test', hubs: 3000, devices: 20, euiPrefix: 'a8' })
  const ids = fleet.hubs.map((h) => h.id)
  // physical order differs from ids after updates
  for (const h of [...ids].reverse().slice(0, 1500)) await pool.query('update hubs set name=name where id=$1', [h])
  await pool.query('update hubs set is_online = true, last_seen_at = now() - interval \'1 day\'')
  const codes = {}
  const note = (who) => (e) => { codes[`${who} ${e.code}`] = (codes[`${who} ${e.code}`] ?? 0) + 1 }
  const next = createBatchIds({ now: Date.now, process: 3 })
  const end = performance.now() + 12000
  await Promise.all([
    (async () => { while (performance.now() < end) { await pool.query(`update hubs set is_online=true, last_seen_at=now()-interval '1 day', status_at=null where id % 2 = 0`).catch(note('reset')) } })(),
    (async () => { while (performance.now() < end) await expireHubs(pool, { connected: [], nowMs: Date.now() }).catch(note('expire')) })(),
    (async () => { while (performance.now() < end) { const t = Date.now(); await writeBatch(pool, { id: next(), readings: [], doors: [], rejected: [], receipts: [], hubStatuses: ids.map((hubId) => ({ hubId, isOnline: true, firmware: null, queued: null, receivedAtMs: t })) }, O).catch(note('status batch')) } })(),
  ])
  out('E12a expire against status batches', codes)
  const c2 = {}
  const note2 = (who) => (e) => { c2[`${who} ${e.code}`] = (c2[`${who} ${e.code}`] ?? 0) + 1 }
  const end2 = performance.now() + 10000
  const rev = [...ids].reverse()
  await Promise.all([
    (async () => { while (performance.now() < end2) { await pool.query('delete from pipeline.receipts'); await saveReceipts(pool, rev.map((hubId) => ({ hubId, boot: 'b', seq: 1, missing: [], state: [], updatedAtMs: Date.now() })), 1n).catch(note2('receipts')) } })(),
    (async () => { while (performance.now() < end2) await recordSightings(pool, ids.map((hubId) => ({ hubId, seenAtMs: Date.now() }))).catch(note2('sightings')) })(),
  ])
  out('E12b receipts of new hubs against sightings', c2)
  await pool.end(); await database.drop()
}, 120000)
test('E13 missing', () => {
  const g = []
  noteDurable(g, 'B', 0, 0); noteDurable(g, 'B', 5000, 0)
  passOverOldGaps(g, 400_000, 300)
  out('E13', { seq: g[0].seq, listed: g[0].missing.length, first: g[0].missing[0] })
})
test('E14 fault in what is not a row', async () => {
  const database = await createTestDatabase()
  const pool = new Pool({ connectionString: database.url, max: 4 })
  const fleet = await createTestFleet(pool, { slug: 'test', hubs: 3, devices: 20, euiPrefix: 'a8' })
  const good = testMessage(fleet, [1700000000000, 1700000001000, 1700000002000, 1700000003000])
  const bad = testMessage(fleet, [])
  bad.arrival.topic = 'application/\0/x'
  bad.rejects.push({ reason: 'malformed', detail: 'x', device: null, item: null, sqlstate: null })
  const next = createBatchIds({ now: Date.now, process: 3 })
  const r = await commitSealed(sealBatch([good, bad]), { pool, log: pino({ level: 'silent' }), nextBatchId: next, statementTimeoutMs: 30000, signal: new AbortController().signal, onCommitted() {} }).then((o) => ['ok', o], (e) => ['throws', e.code, e.message])
  out('E14', r, 'stored', (await pool.query('select count(*) from sensor_readings')).rows[0].count, 'good rejects', good.rejects.map((x) => x.detail))
  await pool.end(); await database.drop()
})
