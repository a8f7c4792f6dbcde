import type { Pool } from 'pg'

/** In place of some columns of a row. */
const copyOf = (row: string, columns: string) =>
  `(jsonb_populate_record(${row}, jsonb_build_object(${columns}))).*`

const COPY = (count: number) => `
  BEGIN;
  CREATE TEMP TABLE copies ON COMMIT DROP AS
    SELECT n, u.id AS of_unit, (SELECT max(id) FROM units) + n AS unit_id FROM units u, generate_series(1, ${count}) n;
  CREATE TEMP TABLE device_copies ON COMMIT DROP AS
    SELECT d.id AS of_device, c.unit_id, (SELECT max(id) FROM devices) + row_number() OVER () AS device_id
    FROM copies c JOIN devices d ON d.unit_id = c.of_unit;
  INSERT INTO units OVERRIDING SYSTEM VALUE SELECT ${copyOf('u', `'id', c.unit_id, 'public_id', gen_random_uuid(), 'name', 'Copy ' || c.n`)}
    FROM copies c JOIN units u ON u.id = c.of_unit;
  INSERT INTO devices OVERRIDING SYSTEM VALUE
    SELECT ${copyOf('d', `'id', c.device_id, 'public_id', gen_random_uuid(), 'unit_id', c.unit_id, 'device_eui', lpad(c.device_id::text, 16, '0')`)}
    FROM device_copies c JOIN devices d ON d.id = c.of_device;
  INSERT INTO sensor_readings SELECT ${copyOf('r', `'device_id', c.device_id, 'unit_id', c.unit_id`)}
    FROM device_copies c JOIN sensor_readings r ON r.device_id = c.of_device;
  INSERT INTO pipeline.rule_states SELECT ${copyOf('s', `'device_id', c.device_id, 'unit_id', c.unit_id`)}
    FROM device_copies c JOIN pipeline.rule_states s ON s.device_id = c.of_device;
  COMMIT`

/** Copies the only unit of a fleet so many times, with its devices, their readings and their states. */
export async function copyUnit(pool: Pool, count: number): Promise<void> {
  await pool.query(COPY(count))
}
