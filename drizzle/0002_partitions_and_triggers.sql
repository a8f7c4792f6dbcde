-- What drizzle-kit has no words for.

-- 1. The two hot tables, still empty, become partitioned. Columns are taken over from the generated tables.
ALTER TABLE public.sensor_readings RENAME TO sensor_readings_unpartitioned;
--> statement-breakpoint
CREATE TABLE public.sensor_readings (
  LIKE public.sensor_readings_unpartitioned INCLUDING ALL EXCLUDING INDEXES EXCLUDING CONSTRAINTS
) PARTITION BY RANGE (recorded_at);
--> statement-breakpoint
DROP TABLE public.sensor_readings_unpartitioned;
--> statement-breakpoint
ALTER TABLE public.sensor_readings ADD CONSTRAINT sensor_readings_pkey PRIMARY KEY (recorded_at, device_id);
--> statement-breakpoint
CREATE INDEX sensor_readings_batch_id_idx ON public.sensor_readings USING brin (batch_id) WITH (autosummarize = true);
--> statement-breakpoint
ALTER TABLE public.door_events RENAME TO door_events_unpartitioned;
--> statement-breakpoint
CREATE TABLE public.door_events (
  LIKE public.door_events_unpartitioned INCLUDING ALL EXCLUDING INDEXES EXCLUDING CONSTRAINTS
) PARTITION BY RANGE (occurred_at);
--> statement-breakpoint
DROP TABLE public.door_events_unpartitioned;
--> statement-breakpoint
ALTER TABLE public.door_events ADD CONSTRAINT door_events_pkey PRIMARY KEY (device_id, occurred_at, state);
--> statement-breakpoint
CREATE INDEX door_events_batch_id_idx ON public.door_events USING brin (batch_id) WITH (autosummarize = true);
--> statement-breakpoint

-- 2. Records that nobody but the owner may change. PUBLIC has no such right by default; this undoes default privileges.
REVOKE UPDATE, DELETE, TRUNCATE ON public.sensor_readings, public.door_events, public.event_logs FROM PUBLIC;
--> statement-breakpoint
COMMENT ON TABLE public.sensor_readings IS 'What sensors said, unchanged; partitioned by recorded_at';
--> statement-breakpoint
COMMENT ON TABLE public.door_events IS 'Doors that opened and closed; partitioned by occurred_at';
--> statement-breakpoint
COMMENT ON TABLE public.event_logs IS 'Append-only audit, a SHA-256 chain per organization';
--> statement-breakpoint
COMMENT ON SCHEMA pipeline IS 'What only the pipeline needs; the domain is in public';
--> statement-breakpoint

-- 3. updated_at, wherever there is one.
CREATE FUNCTION pipeline.set_updated_at() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END
$function$;
--> statement-breakpoint
DO $triggers$
DECLARE
  target regclass;
BEGIN
  FOR target IN
    SELECT c.oid::regclass
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE a.attname = 'updated_at' AND c.relkind = 'r'
      AND c.relnamespace IN ('public'::regnamespace, 'pipeline'::regnamespace)
    ORDER BY c.relname
  LOOP
    EXECUTE format(
      'CREATE TRIGGER set_updated_at BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION pipeline.set_updated_at()',
      target
    );
  END LOOP;
END
$triggers$;
--> statement-breakpoint

-- 4. Where each device stood, and when.
CREATE FUNCTION pipeline.assign_device(device public.devices) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
  changed_at timestamptz(3) := now();
  new_site_id integer;
  present pipeline.device_assignments%ROWTYPE;
BEGIN
  SELECT coalesce(
    (SELECT area.site_id FROM public.units unit JOIN public.areas area ON area.id = unit.area_id
     WHERE unit.id = device.unit_id),
    (SELECT hub.site_id FROM public.hubs hub WHERE hub.id = device.hub_id)
  ) INTO new_site_id;

  SELECT * INTO present FROM pipeline.device_assignments
  WHERE device_id = device.id AND valid_to = 'infinity' FOR UPDATE;

  IF NOT FOUND THEN
    INSERT INTO pipeline.device_assignments (device_id, organization_id, site_id, unit_id, hub_id)
    VALUES (device.id, device.organization_id, new_site_id, device.unit_id, device.hub_id);
    RETURN;
  END IF;

  IF (present.organization_id, present.site_id, present.unit_id, present.hub_id)
    IS NOT DISTINCT FROM (device.organization_id, new_site_id, device.unit_id, device.hub_id) THEN
    RETURN;
  END IF;

  -- A second change in one transaction, or a clock that stepped back: a period that ends where it begins is none.
  IF present.valid_from >= changed_at THEN
    UPDATE pipeline.device_assignments
    SET organization_id = device.organization_id, site_id = new_site_id, unit_id = device.unit_id,
      hub_id = device.hub_id
    WHERE id = present.id;
    RETURN;
  END IF;

  UPDATE pipeline.device_assignments SET valid_to = changed_at WHERE id = present.id;
  INSERT INTO pipeline.device_assignments (device_id, organization_id, site_id, unit_id, hub_id, valid_from)
  VALUES (device.id, device.organization_id, new_site_id, device.unit_id, device.hub_id, changed_at);
END
$function$;
--> statement-breakpoint
CREATE FUNCTION pipeline.device_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
  PERFORM pipeline.assign_device(NEW);
  RETURN NULL;
END
$function$;
--> statement-breakpoint
CREATE TRIGGER keep_assignments AFTER INSERT OR UPDATE OF organization_id, unit_id, hub_id ON public.devices
FOR EACH ROW EXECUTE FUNCTION pipeline.device_changed();
--> statement-breakpoint

-- A unit, an area or a hub that moves to another place takes its devices along.
CREATE FUNCTION pipeline.place_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
  PERFORM pipeline.assign_device(device)
  FROM public.devices device
  WHERE CASE TG_TABLE_NAME
    WHEN 'hubs' THEN device.hub_id = NEW.id
    WHEN 'units' THEN device.unit_id = NEW.id
    WHEN 'areas' THEN device.unit_id IN (SELECT unit.id FROM public.units unit WHERE unit.area_id = NEW.id)
  END;
  RETURN NULL;
END
$function$;
--> statement-breakpoint
CREATE TRIGGER keep_assignments AFTER UPDATE OF site_id ON public.hubs
FOR EACH ROW WHEN (OLD.site_id IS DISTINCT FROM NEW.site_id) EXECUTE FUNCTION pipeline.place_changed();
--> statement-breakpoint
CREATE TRIGGER keep_assignments AFTER UPDATE OF area_id ON public.units
FOR EACH ROW WHEN (OLD.area_id IS DISTINCT FROM NEW.area_id) EXECUTE FUNCTION pipeline.place_changed();
--> statement-breakpoint
CREATE TRIGGER keep_assignments AFTER UPDATE OF site_id ON public.areas
FOR EACH ROW WHEN (OLD.site_id IS DISTINCT FROM NEW.site_id) EXECUTE FUNCTION pipeline.place_changed();
--> statement-breakpoint

-- 5. The version of what ingest keeps in memory: it grows with keys, parents and secrets, not with a device's battery.
INSERT INTO pipeline.registry_version (id, version) VALUES (1, 1);
--> statement-breakpoint
CREATE FUNCTION pipeline.bump_registry_version() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
  UPDATE pipeline.registry_version SET version = version + 1 WHERE id = 1;
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
      ('public.organizations', 'slug, timezone, deleted_at'),
      ('public.sites', 'organization_id, timezone, deleted_at'),
      ('public.areas', 'organization_id, site_id, deleted_at'),
      ('public.units', 'organization_id, area_id, deleted_at'),
      ('public.hubs', 'organization_id, site_id, key, credential_hash, heartbeat_seconds, deleted_at'),
      ('public.devices',
       'organization_id, unit_id, hub_id, device_eui, device_type, reporting_interval_seconds, credential_hash, deleted_at'),
      ('pipeline.network_servers', 'organization_id, key, credential_hash, deleted_at'),
      ('pipeline.operator_credentials', 'organization_id, credential_hash')
    ) AS t (name, columns)
  LOOP
    EXECUTE format(
      'CREATE TRIGGER bump_registry_version AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF %s ON %s '
      'FOR EACH STATEMENT EXECUTE FUNCTION pipeline.bump_registry_version()',
      target.columns, target.name
    );
  END LOOP;
END
$triggers$;
