-- What each version of the configuration is about: see configChanges in db/schema/registry.ts.
CREATE FUNCTION pipeline.note_config_change(subject text, subject_id integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
  next_version bigint;
BEGIN
  -- Whoever changes something waits here for whoever has changed something else, so that versions are committed in order.
  SELECT config_version + 1 INTO next_version FROM pipeline.registry_version WHERE id = 1 FOR NO KEY UPDATE;
  INSERT INTO pipeline.config_changes (version, scope, scope_id) VALUES (next_version, subject, subject_id)
  ON CONFLICT DO NOTHING;
END
$function$;
--> statement-breakpoint
CREATE FUNCTION pipeline.config_changed_of_row() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
  subject record;
BEGIN
  IF TG_OP = 'DELETE' THEN subject := OLD; ELSE subject := NEW; END IF;
  CASE TG_TABLE_NAME
    WHEN 'organizations' THEN PERFORM pipeline.note_config_change('organization', subject.id);
    WHEN 'sites' THEN PERFORM pipeline.note_config_change('site', subject.id);
    WHEN 'areas' THEN PERFORM pipeline.note_config_change('site', subject.site_id);
    WHEN 'units' THEN PERFORM pipeline.note_config_change('unit', subject.id);
    WHEN 'devices' THEN
      -- Where it stood is forgotten with it.
      IF TG_OP = 'DELETE' THEN PERFORM pipeline.note_config_change('organization', subject.organization_id);
      ELSE PERFORM pipeline.note_config_change('device', subject.id);
      END IF;
    WHEN 'alert_rules' THEN
      IF subject.unit_id IS NOT NULL THEN PERFORM pipeline.note_config_change('unit', subject.unit_id);
      ELSIF subject.site_id IS NOT NULL THEN PERFORM pipeline.note_config_change('site', subject.site_id);
      ELSE PERFORM pipeline.note_config_change('organization', subject.organization_id);
      END IF;
    WHEN 'calibration_records' THEN
      PERFORM pipeline.note_config_change('device', subject.device_id);
      IF TG_OP = 'UPDATE' THEN PERFORM pipeline.note_config_change('device', OLD.device_id); END IF;
  END CASE;
  RETURN NULL;
END
$function$;
--> statement-breakpoint

-- The columns are those of bump_config_version (0010), which follows at the end of the statement.
DO $triggers$
DECLARE
  target record;
BEGIN
  FOR target IN
    SELECT * FROM (VALUES
      ('public.organizations', 'timezone'),
      ('public.sites', 'timezone'),
      ('public.areas', 'site_id'),
      ('public.units', 'temp_min, temp_max, area_id, monitoring_enabled, deleted_at, manual_monitoring_required, '
       'manual_monitoring_interval_seconds'),
      ('public.devices', 'organization_id, unit_id, hub_id, device_type, reporting_interval_seconds, deleted_at'),
      ('public.alert_rules', 'name, alert_type, severity, condition_type, condition, enabled, schedule, deleted_at'),
      ('public.calibration_records', 'device_id, temperature_offset, calibrated_at, expires_at')
    ) AS t (name, columns)
  LOOP
    EXECUTE format(
      'CREATE TRIGGER note_config_change AFTER INSERT OR DELETE OR UPDATE OF %s ON %s '
      'FOR EACH ROW EXECUTE FUNCTION pipeline.config_changed_of_row()',
      target.columns, target.name
    );
  END LOOP;
END
$triggers$;
--> statement-breakpoint

-- The evaluator takes a change from more than a thousand versions ago for one of everything (db/evaluation/config-changes.ts).
CREATE OR REPLACE FUNCTION pipeline.bump_config_version() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
  present bigint;
BEGIN
  UPDATE pipeline.registry_version SET config_version = config_version + 1 WHERE id = 1
  RETURNING config_version INTO present;
  DELETE FROM pipeline.config_changes WHERE version <= present - 1000;
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO pipeline.config_changes (version, scope, scope_id) VALUES (present, 'everything', 0)
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$function$;
