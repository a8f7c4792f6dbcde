import { Pool } from 'pg'
import { expect, test } from 'vitest'
import { pruneRejected } from './rejected.ts'
import { createTestDatabase } from './testing/test-database.ts'

test('keeps the retention and the share of each client; payloads go with their last item', async () => {
  const database = await createTestDatabase()
  const pool = new Pool({ connectionString: database.url })
  try {
    // Ten payloads of two items each for a loud client, one for a quiet one, one that is too old.
    await pool.query(`
      INSERT INTO pipeline.rejected_payloads (batch_id, topic, client, received_at, size_bytes, payload)
      SELECT 1, 't', client, now() - age, 1, 'x' FROM (
        SELECT 'loud' AS client, interval '0' AS age FROM generate_series(1, 10)
        UNION ALL SELECT 'quiet', interval '0' UNION ALL SELECT 'old', interval '31 days'
      ) given;
      INSERT INTO pipeline.rejected_messages (payload_id, reason, detail, topic, client, received_at)
      SELECT id, 'invalid', 'd', 't', client, received_at FROM pipeline.rejected_payloads, generate_series(1, 2)
      ORDER BY id`)
    const deleted = await pruneRejected(pool, { retentionDays: 30, perClientMax: 6 })
    expect(deleted).toBe(14 + 2)
    const left = await pool.query(
      `SELECT client, count(*)::int AS items, count(DISTINCT payload_id)::int AS payloads
       FROM pipeline.rejected_messages m GROUP BY client ORDER BY client`,
    )
    expect(left.rows).toMatchObject([
      { client: 'loud', items: 6, payloads: 3 },
      { client: 'quiet', items: 2, payloads: 1 },
    ])
    const payloads = await pool.query('SELECT client FROM pipeline.rejected_payloads')
    expect(payloads.rowCount).toBe(4)
    expect(await pruneRejected(pool, { retentionDays: 30, perClientMax: 6 })).toBe(0)
  } finally {
    await pool.end()
    await database.drop()
  }
})
