import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'

/** More than a turn stores. */
const DEVICES = 230
/** Notes with each move of the cursor how many states were stored by then. */
const NOTE_MOVES = `
  CREATE TABLE moves (batch_id int8, states int4);
  CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.moves VALUES (NEW.batch_id, (SELECT count(*) FROM pipeline.rule_states));
    RETURN NEW;
  END $$;
  CREATE TRIGGER note_move BEFORE UPDATE ON pipeline.evaluator_cursors FOR EACH ROW EXECUTE FUNCTION note_move()`

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

test('the states of many devices are stored a part at a time, and all before the cursor passes what they come from', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], devices: DEVICES, minutes: 10 })
  const pool = fleet.db.$client
  await pool.query(NOTE_MOVES)
  await Promise.all(fleet.devices.map((_, device) => fleet.commit([[5, 3]], device)))
  const evaluator = fleet.startEvaluator()
  await until('it evaluates', () => evaluator.isActive)
  await fleet.evaluated()
  const { rows: parts } = await pool.query<{ states: number }>(
    'SELECT count(*)::int AS states FROM pipeline.rule_states GROUP BY xmin',
  )
  expect(parts.reduce((sum, { states }) => sum + states, 0)).toBe(DEVICES)
  expect(parts.length).toBeGreaterThan(1)
  expect(Math.max(...parts.map(({ states }) => states))).toBeLessThanOrEqual(100)
  const { rows: moves } = await pool.query<{ states: number }>(
    // The ledger is read in the order of transactions: the ids are not in it.
    `SELECT min(states) AS states FROM moves
     WHERE batch_id = (SELECT id FROM pipeline.ingest_batches ORDER BY tx DESC, id DESC LIMIT 1)`,
  )
  expect(moves).toEqual([{ states: DEVICES }])
})
