-- What drizzle-kit has no words for.

-- 1. States are updated all the time: room in each page keeps the new version beside the old one.
ALTER TABLE pipeline.rule_states SET (fillfactor = 50);
--> statement-breakpoint
CREATE TRIGGER set_updated_at BEFORE UPDATE ON pipeline.evaluator_cursors
FOR EACH ROW EXECUTE FUNCTION pipeline.set_updated_at();
--> statement-breakpoint

-- 2. What the evaluator needs of units and devices, from when on.
CREATE FUNCTION pipeline.keep_config(kind text, subject_id integer, settings jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
  changed_at timestamptz(3) := now();
  present pipeline.config_history%ROWTYPE;
BEGIN
  SELECT * INTO present FROM pipeline.config_history
  WHERE entity = kind AND entity_id = subject_id ORDER BY valid_from DESC LIMIT 1 FOR UPDATE;

  IF NOT FOUND THEN
    INSERT INTO pipeline.config_history (entity, entity_id, valid_from, "values")
    VALUES (kind, subject_id, '-infinity', settings);
  ELSIF present."values" = settings THEN
    RETURN;
  -- A second change in one transaction, or a clock that stepped back: a period that ends where it begins is none.
  ELSIF present.valid_from >= changed_at THEN
    UPDATE pipeline.config_history SET "values" = settings WHERE config_history.id = present.id;
  ELSE
    INSERT INTO pipeline.config_history (entity, entity_id, valid_from, "values")
    VALUES (kind, subject_id, changed_at, settings);
  END IF;
END
$function$;
--> statement-breakpoint
CREATE FUNCTION pipeline.keep_unit_config(unit public.units) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
  PERFORM pipeline.keep_config('unit', unit.id, jsonb_build_object(
    'temp_min', unit.temp_min,
    'temp_max', unit.temp_max,
    'site_id', (SELECT area.site_id FROM public.areas area WHERE area.id = unit.area_id),
    'is_monitored', unit.monitoring_enabled AND unit.deleted_at IS NULL,
    'manual_monitoring_required', unit.manual_monitoring_required,
    'manual_monitoring_interval_seconds', unit.manual_monitoring_interval_seconds
  ));
END
$function$;
--> statement-breakpoint
CREATE FUNCTION pipeline.keep_device_config(device public.devices) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
  PERFORM pipeline.keep_config('device', device.id, jsonb_build_object(
    'hub_id', device.hub_id,
    'device_type', device.device_type,
    'reporting_interval_seconds', device.reporting_interval_seconds
  ));
END
$function$;
--> statement-breakpoint
CREATE FUNCTION pipeline.config_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
  CASE TG_TABLE_NAME
    WHEN 'units' THEN PERFORM pipeline.keep_unit_config(NEW);
    WHEN 'devices' THEN PERFORM pipeline.keep_device_config(NEW);
    WHEN 'areas' THEN PERFORM pipeline.keep_unit_config(unit) FROM public.units unit WHERE unit.area_id = NEW.id;
  END CASE;
  RETURN NULL;
END
$function$;
--> statement-breakpoint
CREATE TRIGGER keep_config AFTER INSERT OR UPDATE OF
  temp_min, temp_max, area_id, monitoring_enabled, deleted_at, manual_monitoring_required, manual_monitoring_interval_seconds
ON public.units FOR EACH ROW EXECUTE FUNCTION pipeline.config_changed();
--> statement-breakpoint
CREATE TRIGGER keep_config AFTER INSERT OR UPDATE OF hub_id, device_type, reporting_interval_seconds
ON public.devices FOR EACH ROW EXECUTE FUNCTION pipeline.config_changed();
--> statement-breakpoint
CREATE TRIGGER keep_config AFTER UPDATE OF site_id ON public.areas
FOR EACH ROW WHEN (OLD.site_id IS DISTINCT FROM NEW.site_id) EXECUTE FUNCTION pipeline.config_changed();
--> statement-breakpoint
DO $existing$
BEGIN
  PERFORM pipeline.keep_unit_config(unit) FROM public.units unit;
  PERFORM pipeline.keep_device_config(device) FROM public.devices device;
END
$existing$;
--> statement-breakpoint

-- 3. A rule is judged by its versions, so each change makes one, whoever changes it.
CREATE FUNCTION pipeline.rule_values(rule public.alert_rules) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $function$
  SELECT CASE WHEN rule.deleted_at IS NULL THEN jsonb_build_object(
    'site_id', rule.site_id, 'unit_id', rule.unit_id, 'name', rule.name, 'alert_type', rule.alert_type,
    'severity', rule.severity, 'condition_type', rule.condition_type, 'condition', rule.condition,
    'preset', rule.preset, 'preset_version', rule.preset_version, 'enabled', rule.enabled, 'schedule', rule.schedule
  ) END
$function$;
--> statement-breakpoint
CREATE FUNCTION pipeline.count_rule_version() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
  IF (OLD.organization_id, OLD.site_id, OLD.unit_id) IS DISTINCT FROM (NEW.organization_id, NEW.site_id, NEW.unit_id) THEN
    RAISE EXCEPTION 'alert rule % cannot move to another scope: its alerts are about the units it was made for', OLD.id
      USING ERRCODE = 'integrity_constraint_violation', HINT = 'Disable this rule and make another one.';
  END IF;
  IF pipeline.rule_values(OLD) IS DISTINCT FROM pipeline.rule_values(NEW) AND NEW.version <= OLD.version THEN
    NEW.version := OLD.version + 1;
  END IF;
  RETURN NEW;
END
$function$;
--> statement-breakpoint
CREATE TRIGGER count_version BEFORE UPDATE ON public.alert_rules
FOR EACH ROW EXECUTE FUNCTION pipeline.count_rule_version();
--> statement-breakpoint
CREATE FUNCTION pipeline.keep_rule_history() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
  before jsonb := CASE WHEN TG_OP = 'UPDATE' THEN pipeline.rule_values(OLD) END;
  after jsonb := pipeline.rule_values(NEW);
BEGIN
  IF before IS DISTINCT FROM after THEN
    INSERT INTO public.alert_rules_history (organization_id, rule_id, version, changed_at, reason, old_values, new_values)
    VALUES (NEW.organization_id, NEW.id, NEW.version, now(), 'SQL by ' || session_user, before, after)
    ON CONFLICT (rule_id, version) DO NOTHING;
  END IF;
  RETURN NULL;
END
$function$;
--> statement-breakpoint

-- At the end of the transaction: whoever knows who changed the rule, and why, has written the row by then.
CREATE CONSTRAINT TRIGGER keep_history AFTER INSERT OR UPDATE ON public.alert_rules
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pipeline.keep_rule_history();
--> statement-breakpoint

-- Rules that have been written by SQL so far.
INSERT INTO public.alert_rules_history (organization_id, rule_id, version, changed_at, reason, new_values)
SELECT rule.organization_id, rule.id, rule.version,
  CASE WHEN EXISTS (SELECT FROM public.alert_rules_history past WHERE past.rule_id = rule.id)
    THEN rule.updated_at ELSE rule.created_at END,
  'found when the history of rules was completed', pipeline.rule_values(rule)
FROM public.alert_rules rule
ON CONFLICT (rule_id, version) DO NOTHING;
--> statement-breakpoint

-- 4. The version of all that decides how readings are judged.
CREATE FUNCTION pipeline.bump_config_version() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
  UPDATE pipeline.registry_version SET config_version = config_version + 1 WHERE id = 1;
  RETURN NULL;
END
$function$;
--> statement-breakpoint
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
      ('public.hubs', 'site_id'),
      ('public.devices', 'organization_id, unit_id, hub_id, device_type, reporting_interval_seconds, deleted_at'),
      ('public.alert_rules', 'name, alert_type, severity, condition_type, condition, enabled, schedule, deleted_at'),
      ('public.calibration_records', 'device_id, temperature_offset, calibrated_at, expires_at')
    ) AS t (name, columns)
  LOOP
    EXECUTE format(
      'CREATE TRIGGER bump_config_version AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF %s ON %s '
      'FOR EACH STATEMENT EXECUTE FUNCTION pipeline.bump_config_version()',
      target.columns, target.name
    );
  END LOOP;
END
$triggers$;
--> statement-breakpoint

-- 5. Calibration. Stored readings are what the sensor said; the offset that held at their time is added where they are read.
CREATE FUNCTION pipeline.centi(celsius real) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $function$ SELECT pg_catalog.floor($1::double precision * 100 + 0.5)::integer $function$;
--> statement-breakpoint
COMMENT ON FUNCTION pipeline.centi IS 'Hundredths of a degree, in which limits are compared';
--> statement-breakpoint
CREATE FUNCTION pipeline.calibrated_temperature(device_id integer, at timestamptz, temperature real) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $function$
  SELECT round(pipeline.centi($3) / 100.0, 2) + coalesce(
    (SELECT record.temperature_offset FROM public.calibration_records record
     WHERE record.device_id = $1 AND record.calibrated_at <= $2 ORDER BY record.calibrated_at DESC LIMIT 1),
    0
  )
$function$;
--> statement-breakpoint
COMMENT ON FUNCTION pipeline.calibrated_temperature IS
  'What a sensor said, in hundredths of a degree, with the offset of the calibration that held at that time';
--> statement-breakpoint
CREATE VIEW public.calibrated_readings WITH (security_invoker = true) AS
SELECT reading.organization_id, reading.unit_id, reading.device_id, reading.recorded_at, reading.received_at,
  round(pipeline.centi(reading.temperature) / 100.0, 2) + coalesce(calibration.temperature_offset, 0) AS temperature,
  round(reading.humidity::numeric, 2) + coalesce(calibration.humidity_offset, 0) AS humidity,
  calibration.temperature_offset, calibration.humidity_offset,
  reading.battery, reading.rssi, reading.snr, reading.fault, reading.source
FROM public.sensor_readings reading
LEFT JOIN LATERAL (
  SELECT record.temperature_offset, record.humidity_offset FROM public.calibration_records record
  WHERE record.device_id = reading.device_id
    AND record.calibrated_at <= least(reading.recorded_at, reading.received_at)
  ORDER BY record.calibrated_at DESC LIMIT 1
) calibration ON true;
--> statement-breakpoint
COMMENT ON VIEW public.calibrated_readings IS
  'Readings as they are judged: with the offsets of the calibration that held at the earlier one of recorded_at and received_at';
--> statement-breakpoint

-- 6. The rules of a preset all carry the name that was given. Those that already have a namesake keep theirs.
UPDATE public.alert_rules rule SET name = left(name, -length(': ' || condition_type))
WHERE preset IS NOT NULL AND name LIKE '%: ' || condition_type
  AND NOT EXISTS (
    SELECT FROM public.alert_rules other
    WHERE other.organization_id = rule.organization_id
      AND (other.site_id, other.unit_id, other.condition_type) IS NOT DISTINCT FROM (rule.site_id, rule.unit_id, rule.condition_type)
      AND other.name = left(rule.name, -length(': ' || rule.condition_type)));
