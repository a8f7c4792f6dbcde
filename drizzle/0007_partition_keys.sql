-- Partitions of sensor_readings that exist already: device and time were unique by the primary key of the whole table,
-- now each partition has its own (db/partition-keys.ts). Those that have passed are closed later, beside live traffic.
DO $keys$
DECLARE
  partition record;
BEGIN
  FOR partition IN
    SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'public.sensor_readings'::regclass
  LOOP
    EXECUTE format('CREATE UNIQUE INDEX %I ON public.%I (recorded_at, device_id)',
      partition.name || '_time_key', partition.name);
  END LOOP;
END
$keys$;
