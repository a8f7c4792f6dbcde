import { inject } from 'vitest'
import { createTestDatabase } from '../../db/testing/test-database.ts'
import type { BenchContext } from '../context.ts'
import { openPool } from '../database/pool.ts'
import { type BenchDatabase, type BenchServer, openBenchServer } from '../database/server.ts'
import type { ShapeResult } from '../report/figures.ts'
import { testResources } from './resources.ts'

/** SQL that takes a reading of the next batch away again, with nobody the wiser. */
export const LOSE_A_ROW = `
  CREATE TABLE loss AS SELECT false AS done;
  CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    -- Of two batches at once, one waits here for the other.
    UPDATE loss SET done = true WHERE NOT done AND NEW.readings > 0;
    IF NOT FOUND THEN RETURN NULL; END IF;
    DELETE FROM sensor_readings WHERE (recorded_at, device_id) IN (
      SELECT recorded_at, device_id FROM sensor_readings WHERE batch_id = NEW.id LIMIT 1);
    RETURN NULL;
  END $$;
  CREATE TRIGGER lose AFTER INSERT ON pipeline.ingest_batches FOR EACH ROW EXECUTE FUNCTION lose()`

/** What measures for a second, once, on databases of the test run; each is prepared with `sql`. */
export async function miniContext(options: { sql?: string } = {}): Promise<BenchContext> {
  const { sql = 'SELECT 1' } = options
  return contextOn({
    createDatabase: async () => prepared(await createTestDatabase(), sql),
    postmasterPid: undefined,
    describe: async () => ({}),
  })
}

/** The same on the server of the bench itself, which can copy databases; each copy is prepared with `sql`. */
export async function miniContextWithCopies(options: { sql?: string } = {}): Promise<BenchContext> {
  const { sql = 'SELECT 1' } = options
  const databaseUrl = inject('testServerUrl')
  const server = await openBenchServer({ databaseUrl, dataDir: undefined, resources: testResources() })
  const createDatabase: BenchServer['createDatabase'] = async (from) => {
    const database = await server.createDatabase(from)
    return from === undefined ? database : prepared(database, sql)
  }
  return contextOn({ ...server, createDatabase })
}

async function prepared(database: BenchDatabase, sql: string): Promise<BenchDatabase> {
  const pool = openPool(database.url)
  await pool.query(sql)
  await pool.end()
  return database
}

function contextOn(server: BenchServer): BenchContext {
  return {
    server,
    seconds: 1,
    warmUpSeconds: 0,
    rounds: 1,
    rawRows: 500,
    rows: 5_000,
    devices: 200,
    backlogRows: 1_000,
    serviceSettings: {},
    resources: testResources(),
    progress: () => {},
  }
}

/** The value of each figure in the first round. */
export function valuesOf({ figures }: Pick<ShapeResult, 'figures'>): Record<string, number | undefined> {
  return Object.fromEntries(figures.map(({ name, values: [value] }) => [name, value]))
}
