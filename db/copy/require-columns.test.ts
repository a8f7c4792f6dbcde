import { Pool } from 'pg'
import { expect, test } from 'vitest'
import { createTestDatabase } from '../testing/test-database.ts'
import { requireCopyColumns } from './require-columns.ts'

test('the encoders write the columns that the tables have; one changed by hand stops the start', async () => {
  const database = await createTestDatabase()
  const pool = new Pool({ connectionString: database.url })
  try {
    await requireCopyColumns(pool)
    // float4 and int4 have the same width: COPY would take the bytes of one for the other.
    await pool.query('DROP VIEW calibrated_readings')
    await pool.query('ALTER TABLE sensor_readings ALTER COLUMN temperature TYPE integer')
    await expect(requireCopyColumns(pool)).rejects.toThrow(
      'Column sensor_readings.temperature is int4, but FrostGuard writes float4.',
    )
  } finally {
    await pool.end()
    await database.drop()
  }
})
