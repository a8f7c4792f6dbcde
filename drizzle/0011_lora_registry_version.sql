-- Ingest keeps in memory which temperature of a device is its unit's: a change of it is to be noticed like those of the
-- other tables (0002). Joins and frame counters change often and are not kept there.
CREATE TRIGGER bump_registry_version
AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF device_id, temperature_source, deleted_at ON public.lora_sensors
FOR EACH STATEMENT EXECUTE FUNCTION pipeline.bump_registry_version();
