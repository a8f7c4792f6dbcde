CREATE SCHEMA "pipeline";
--> statement-breakpoint
CREATE TYPE "public"."alert_severity" AS ENUM('info', 'warning', 'critical');--> statement-breakpoint
CREATE TYPE "public"."alert_status" AS ENUM('active', 'acknowledged', 'resolved', 'escalated');--> statement-breakpoint
CREATE TYPE "public"."alert_type" AS ENUM('alarm_active', 'monitoring_interrupted', 'missed_manual_entry', 'low_battery', 'sensor_fault', 'door_open', 'calibration_due');--> statement-breakpoint
CREATE TYPE "public"."app_role" AS ENUM('owner', 'admin', 'manager', 'staff', 'viewer');--> statement-breakpoint
CREATE TYPE "public"."compliance_mode" AS ENUM('standard', 'haccp');--> statement-breakpoint
CREATE TYPE "public"."device_status" AS ENUM('active', 'inactive', 'pairing', 'error');--> statement-breakpoint
CREATE TYPE "public"."notification_channel" AS ENUM('push', 'email', 'sms');--> statement-breakpoint
CREATE TYPE "public"."notification_status" AS ENUM('pending', 'sent', 'delivered', 'failed');--> statement-breakpoint
CREATE TYPE "public"."pairing_status" AS ENUM('pending', 'completed', 'failed', 'expired');--> statement-breakpoint
CREATE TYPE "public"."subscription_plan" AS ENUM('starter', 'pro', 'haccp', 'enterprise');--> statement-breakpoint
CREATE TYPE "public"."subscription_status" AS ENUM('trial', 'active', 'past_due', 'canceled', 'paused');--> statement-breakpoint
CREATE TYPE "public"."unit_status" AS ENUM('ok', 'excursion', 'alarm_active', 'monitoring_interrupted', 'manual_required', 'restoring', 'offline');--> statement-breakpoint
CREATE TYPE "public"."unit_type" AS ENUM('fridge', 'freezer', 'display_case', 'walk_in_cooler', 'walk_in_freezer', 'blast_chiller');--> statement-breakpoint
CREATE TABLE "alert_rules" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "alert_rules_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	"organization_id" integer NOT NULL,
	"site_id" integer,
	"unit_id" integer,
	"name" text NOT NULL,
	"alert_type" "alert_type" NOT NULL,
	"severity" "alert_severity" NOT NULL,
	"condition_type" text NOT NULL,
	"condition" jsonb NOT NULL,
	"preset" text,
	"preset_version" integer,
	"enabled" boolean DEFAULT true NOT NULL,
	"schedule" jsonb,
	"version" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "alert_rules_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "alert_rules_version_check" CHECK ("alert_rules"."version" >= 1)
);
--> statement-breakpoint
CREATE TABLE "alert_rules_history" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "alert_rules_history_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"organization_id" integer NOT NULL,
	"rule_id" integer NOT NULL,
	"version" integer NOT NULL,
	"changed_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"changed_by" integer,
	"reason" text,
	"old_values" jsonb,
	"new_values" jsonb,
	CONSTRAINT "alert_rules_history_public_id_unique" UNIQUE("public_id")
);
--> statement-breakpoint
CREATE TABLE "alerts" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "alerts_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"organization_id" integer NOT NULL,
	"unit_id" integer,
	"device_id" integer,
	"hub_id" integer,
	"rule_id" integer,
	"rule_version" integer,
	"alert_type" "alert_type" NOT NULL,
	"condition_type" text NOT NULL,
	"severity" "alert_severity" NOT NULL,
	"status" "alert_status" DEFAULT 'active' NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"triggered_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"detected_at" timestamp (3) with time zone NOT NULL,
	"acknowledged_at" timestamp (3) with time zone,
	"acknowledged_by" integer,
	"resolved_at" timestamp (3) with time zone,
	"resolved_by" integer,
	"escalated_at" timestamp (3) with time zone,
	"escalation_level" integer DEFAULT 0 NOT NULL,
	"trigger_value" numeric(8, 2),
	"limit_value" numeric(8, 2),
	"peak_value" numeric(8, 2),
	"confirmed_seconds" integer DEFAULT 0 NOT NULL,
	"unknown_seconds" integer DEFAULT 0 NOT NULL,
	"retrospective" boolean DEFAULT false NOT NULL,
	"unproven" boolean DEFAULT false NOT NULL,
	"resolution" text,
	CONSTRAINT "alerts_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "alerts_subject_check" CHECK (num_nonnulls("alerts"."unit_id", "alerts"."device_id", "alerts"."hub_id") > 0),
	CONSTRAINT "alerts_resolution_check" CHECK ("alerts"."resolution" in ('recovered', 'by_person', 'rule_changed', 'withdrawn')),
	CONSTRAINT "alerts_seconds_check" CHECK ("alerts"."confirmed_seconds" >= 0 and "alerts"."unknown_seconds" >= 0)
);
--> statement-breakpoint
CREATE TABLE "corrective_actions" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "corrective_actions_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"organization_id" integer NOT NULL,
	"alert_id" integer NOT NULL,
	"profile_id" integer,
	"action" text NOT NULL,
	"taken_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "corrective_actions_public_id_unique" UNIQUE("public_id")
);
--> statement-breakpoint
CREATE TABLE "event_logs" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "event_logs_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"organization_id" integer NOT NULL,
	"actor_profile_id" integer,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"entity_type" text NOT NULL,
	"entity_id" integer,
	"old_values" jsonb,
	"new_values" jsonb,
	"occurred_at" timestamp (3) with time zone NOT NULL,
	"previous_hash" "bytea" NOT NULL,
	"hash" "bytea" NOT NULL,
	CONSTRAINT "event_logs_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "event_logs_organization_id_previous_hash_key" UNIQUE("organization_id","previous_hash"),
	CONSTRAINT "event_logs_hash_check" CHECK (octet_length("event_logs"."hash") = 32 and octet_length("event_logs"."previous_hash") = 32)
);
--> statement-breakpoint
CREATE TABLE "calibration_records" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "calibration_records_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"organization_id" integer NOT NULL,
	"device_id" integer NOT NULL,
	"performed_by" integer,
	"temperature_offset" numeric(5, 2) DEFAULT 0 NOT NULL,
	"humidity_offset" numeric(5, 2) DEFAULT 0 NOT NULL,
	"reference" text,
	"certificate" text,
	"calibrated_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone,
	CONSTRAINT "calibration_records_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "calibration_records_expiry_check" CHECK ("calibration_records"."calibrated_at" < "calibration_records"."expires_at")
);
--> statement-breakpoint
CREATE TABLE "devices" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "devices_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	"organization_id" integer NOT NULL,
	"unit_id" integer,
	"hub_id" integer,
	"device_eui" text NOT NULL,
	"name" text,
	"device_type" text DEFAULT 'temperature' NOT NULL,
	"status" "device_status" DEFAULT 'active' NOT NULL,
	"battery" smallint,
	"signal_strength" smallint,
	"firmware_version" text,
	"last_seen_at" timestamp (3) with time zone,
	"reporting_interval_seconds" integer,
	"credential_hash" text,
	CONSTRAINT "devices_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "devices_device_eui_check" CHECK ("devices"."device_eui" ~ '^[0-9a-f]{16}$'),
	CONSTRAINT "devices_reporting_interval_check" CHECK ("devices"."reporting_interval_seconds" > 0),
	CONSTRAINT "devices_battery_check" CHECK ("devices"."battery" between 0 and 100)
);
--> statement-breakpoint
CREATE TABLE "lora_sensors" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "lora_sensors_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	"organization_id" integer NOT NULL,
	"device_id" integer NOT NULL,
	"network_server_id" integer,
	"dev_eui" text NOT NULL,
	"join_eui" text,
	"activation_type" text DEFAULT 'otaa' NOT NULL,
	"temperature_source" text,
	"last_join_at" timestamp (3) with time zone,
	"last_f_cnt" bigint,
	"app_key_encrypted" "bytea",
	CONSTRAINT "lora_sensors_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "lora_sensors_device_id_key" UNIQUE("device_id"),
	CONSTRAINT "lora_sensors_dev_eui_check" CHECK ("lora_sensors"."dev_eui" ~ '^[0-9a-f]{16}$'),
	CONSTRAINT "lora_sensors_join_eui_check" CHECK ("lora_sensors"."join_eui" ~ '^[0-9a-f]{16}$'),
	CONSTRAINT "lora_sensors_activation_type_check" CHECK ("lora_sensors"."activation_type" in ('otaa', 'abp'))
);
--> statement-breakpoint
CREATE TABLE "pairing_sessions" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "pairing_sessions_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"organization_id" integer NOT NULL,
	"site_id" integer,
	"unit_id" integer,
	"hub_id" integer,
	"device_id" integer,
	"started_by" integer,
	"code" text NOT NULL,
	"status" "pairing_status" DEFAULT 'pending' NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"completed_at" timestamp (3) with time zone,
	"failure_reason" text,
	CONSTRAINT "pairing_sessions_public_id_unique" UNIQUE("public_id")
);
--> statement-breakpoint
CREATE TABLE "areas" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "areas_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	"organization_id" integer NOT NULL,
	"site_id" integer NOT NULL,
	"name" text NOT NULL,
	"sort_order" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "areas_public_id_unique" UNIQUE("public_id")
);
--> statement-breakpoint
CREATE TABLE "hubs" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "hubs_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	"organization_id" integer NOT NULL,
	"site_id" integer NOT NULL,
	"key" text NOT NULL,
	"name" text NOT NULL,
	"mac_address" "macaddr",
	"firmware_version" text,
	"last_seen_at" timestamp (3) with time zone,
	"is_online" boolean DEFAULT false NOT NULL,
	"queued_messages" integer,
	"credential_hash" text,
	"heartbeat_seconds" integer DEFAULT 300 NOT NULL,
	CONSTRAINT "hubs_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "hubs_key_check" CHECK ("hubs"."key" ~ '^[a-z0-9][a-z0-9-]{0,63}$'),
	CONSTRAINT "hubs_heartbeat_check" CHECK ("hubs"."heartbeat_seconds" > 0)
);
--> statement-breakpoint
CREATE TABLE "sites" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "sites_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	"organization_id" integer NOT NULL,
	"name" text NOT NULL,
	"street" text,
	"postal_code" text,
	"city" text,
	"region" text,
	"country" text,
	"timezone" text,
	"latitude" double precision,
	"longitude" double precision,
	CONSTRAINT "sites_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "sites_country_check" CHECK ("sites"."country" ~ '^[A-Z]{2}$'),
	CONSTRAINT "sites_latitude_check" CHECK ("sites"."latitude" between -90 and 90),
	CONSTRAINT "sites_longitude_check" CHECK ("sites"."longitude" between -180 and 180)
);
--> statement-breakpoint
CREATE TABLE "units" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "units_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	"organization_id" integer NOT NULL,
	"area_id" integer NOT NULL,
	"name" text NOT NULL,
	"unit_type" "unit_type" NOT NULL,
	"status" "unit_status" DEFAULT 'offline' NOT NULL,
	"temp_min" numeric(5, 2),
	"temp_max" numeric(5, 2),
	"monitoring_enabled" boolean DEFAULT true NOT NULL,
	"manual_monitoring_required" boolean DEFAULT false NOT NULL,
	"manual_monitoring_interval_seconds" integer,
	"last_reading_at" timestamp (3) with time zone,
	"last_temperature" real,
	CONSTRAINT "units_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "units_temp_range_check" CHECK ("units"."temp_min" < "units"."temp_max"),
	CONSTRAINT "units_manual_monitoring_interval_check" CHECK ("units"."manual_monitoring_interval_seconds" > 0)
);
--> statement-breakpoint
CREATE TABLE "pipeline"."ingest_batches" (
	"id" bigint PRIMARY KEY NOT NULL,
	"tx" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	"readings" integer DEFAULT 0 NOT NULL,
	"readings_duplicate" integer DEFAULT 0 NOT NULL,
	"doors" integer DEFAULT 0 NOT NULL,
	"doors_duplicate" integer DEFAULT 0 NOT NULL,
	"rejected" integer DEFAULT 0 NOT NULL,
	"receipts" jsonb,
	"committed_at" timestamp (3) with time zone DEFAULT now()
);
--> statement-breakpoint
CREATE TABLE "pipeline"."receipts" (
	"hub_id" integer PRIMARY KEY NOT NULL,
	"boot" text NOT NULL,
	"seq" bigint NOT NULL,
	"missing" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"state" jsonb NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "pipeline"."rejected_messages" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "pipeline"."rejected_messages_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"payload_id" bigint NOT NULL,
	"reason" text NOT NULL,
	"detail" text NOT NULL,
	"device" text,
	"item" integer,
	"topic" text NOT NULL,
	"client" text NOT NULL,
	"organization_id" integer,
	"received_at" timestamp (3) with time zone NOT NULL,
	"sqlstate" text,
	"replayed_at" timestamp (3) with time zone,
	CONSTRAINT "rejected_messages_reason_check" CHECK ("pipeline"."rejected_messages"."reason" in ('malformed', 'invalid', 'unknown_device', 'not_your_device', 'clock', 'too_large'))
);
--> statement-breakpoint
CREATE TABLE "pipeline"."rejected_payloads" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "pipeline"."rejected_payloads_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"batch_id" bigint NOT NULL,
	"topic" text NOT NULL,
	"client" text NOT NULL,
	"organization_id" integer,
	"received_at" timestamp (3) with time zone NOT NULL,
	"size_bytes" integer NOT NULL,
	"payload" "bytea" NOT NULL,
	"truncated" boolean DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE TABLE "pipeline"."watermarks" (
	"name" text PRIMARY KEY NOT NULL,
	"batch_id" bigint NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "pipeline"."network_servers" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "pipeline"."network_servers_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	"organization_id" integer NOT NULL,
	"key" text NOT NULL,
	"name" text,
	"credential_hash" text,
	CONSTRAINT "network_servers_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "network_servers_key_check" CHECK ("pipeline"."network_servers"."key" ~ '^[a-z0-9][a-z0-9-]{0,63}$')
);
--> statement-breakpoint
CREATE TABLE "pipeline"."operator_credentials" (
	"organization_id" integer PRIMARY KEY NOT NULL,
	"credential_hash" text NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "notification_deliveries" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "notification_deliveries_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"organization_id" integer NOT NULL,
	"alert_id" integer NOT NULL,
	"contact_id" integer,
	"profile_id" integer,
	"kind" text DEFAULT 'page' NOT NULL,
	"escalation_level" integer DEFAULT 0 NOT NULL,
	"channel" "notification_channel" NOT NULL,
	"recipient" text NOT NULL,
	"status" "notification_status" DEFAULT 'pending' NOT NULL,
	"tries" integer DEFAULT 0 NOT NULL,
	"provider_id" text,
	"error" text,
	"scheduled_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"sent_at" timestamp (3) with time zone,
	"delivered_at" timestamp (3) with time zone,
	"failed_at" timestamp (3) with time zone,
	CONSTRAINT "notification_deliveries_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "notification_deliveries_tries_check" CHECK ("notification_deliveries"."tries" >= 0)
);
--> statement-breakpoint
CREATE TABLE "pipeline"."downtime_intervals" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "pipeline"."downtime_intervals_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"part" text NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"detail" text,
	CONSTRAINT "downtime_intervals_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "downtime_intervals_part_check" CHECK ("pipeline"."downtime_intervals"."part" in ('broker', 'database', 'evaluator', 'clock')),
	CONSTRAINT "downtime_intervals_period_check" CHECK ("pipeline"."downtime_intervals"."started_at" <= "pipeline"."downtime_intervals"."ended_at")
);
--> statement-breakpoint
CREATE TABLE "pipeline"."maintenance_windows" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "pipeline"."maintenance_windows_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"organization_id" integer NOT NULL,
	"site_id" integer,
	"unit_id" integer,
	"starts_at" timestamp (3) with time zone NOT NULL,
	"ends_at" timestamp (3) with time zone NOT NULL,
	"reason" text,
	"created_by" integer,
	CONSTRAINT "maintenance_windows_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "maintenance_windows_period_check" CHECK ("pipeline"."maintenance_windows"."starts_at" < "pipeline"."maintenance_windows"."ends_at")
);
--> statement-breakpoint
CREATE TABLE "pipeline"."device_assignments" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "pipeline"."device_assignments_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"device_id" integer NOT NULL,
	"organization_id" integer NOT NULL,
	"site_id" integer,
	"unit_id" integer,
	"hub_id" integer,
	"valid_from" timestamp (3) with time zone DEFAULT '-infinity' NOT NULL,
	"valid_to" timestamp (3) with time zone DEFAULT 'infinity' NOT NULL,
	CONSTRAINT "device_assignments_period_check" CHECK ("pipeline"."device_assignments"."valid_from" < "pipeline"."device_assignments"."valid_to")
);
--> statement-breakpoint
CREATE TABLE "pipeline"."registry_version" (
	"id" smallint PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL,
	CONSTRAINT "registry_version_single_check" CHECK ("pipeline"."registry_version"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE "door_events" (
	"device_id" integer NOT NULL,
	"unit_id" integer,
	"occurred_at" timestamp (3) with time zone NOT NULL,
	"received_at" timestamp (3) with time zone NOT NULL,
	"batch_id" bigint NOT NULL,
	"organization_id" integer NOT NULL,
	"duration_seconds" double precision,
	"state" text NOT NULL,
	"source" text NOT NULL,
	CONSTRAINT "door_events_pkey" PRIMARY KEY("device_id","occurred_at","state")
);
--> statement-breakpoint
CREATE TABLE "manual_temperature_logs" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "manual_temperature_logs_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"organization_id" integer NOT NULL,
	"unit_id" integer NOT NULL,
	"profile_id" integer,
	"temperature" numeric(5, 2) NOT NULL,
	"is_in_range" boolean,
	"notes" text,
	"photo_key" text,
	"recorded_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "manual_temperature_logs_public_id_unique" UNIQUE("public_id")
);
--> statement-breakpoint
CREATE TABLE "sensor_readings" (
	"device_id" integer NOT NULL,
	"unit_id" integer,
	"recorded_at" timestamp (3) with time zone NOT NULL,
	"received_at" timestamp (3) with time zone NOT NULL,
	"batch_id" bigint NOT NULL,
	"organization_id" integer NOT NULL,
	"temperature" real,
	"humidity" real,
	"snr" real,
	"rssi" smallint,
	"battery" smallint,
	"source" text NOT NULL,
	"fault" text,
	CONSTRAINT "sensor_readings_pkey" PRIMARY KEY("recorded_at","device_id")
);
--> statement-breakpoint
CREATE TABLE "organizations" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "organizations_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	"slug" text NOT NULL,
	"name" text NOT NULL,
	"timezone" text DEFAULT 'UTC' NOT NULL,
	"compliance_mode" "compliance_mode" DEFAULT 'standard' NOT NULL,
	"sensor_limit" integer,
	CONSTRAINT "organizations_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "organizations_slug_check" CHECK ("organizations"."slug" ~ '^[a-z0-9][a-z0-9-]{0,63}$'),
	CONSTRAINT "organizations_sensor_limit_check" CHECK ("organizations"."sensor_limit" >= 0)
);
--> statement-breakpoint
CREATE TABLE "subscriptions" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "subscriptions_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"organization_id" integer NOT NULL,
	"plan" "subscription_plan" DEFAULT 'starter' NOT NULL,
	"status" "subscription_status" DEFAULT 'trial' NOT NULL,
	"trial_ends_at" timestamp (3) with time zone,
	"period_starts_at" timestamp (3) with time zone,
	"period_ends_at" timestamp (3) with time zone,
	"canceled_at" timestamp (3) with time zone,
	CONSTRAINT "subscriptions_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "subscriptions_period_check" CHECK ("subscriptions"."period_starts_at" < "subscriptions"."period_ends_at")
);
--> statement-breakpoint
CREATE TABLE "escalation_contacts" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "escalation_contacts_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	"organization_id" integer NOT NULL,
	"site_id" integer,
	"profile_id" integer,
	"name" text NOT NULL,
	"email" text,
	"phone" text,
	"level" integer DEFAULT 1 NOT NULL,
	"channels" "notification_channel"[] DEFAULT '{"email"}' NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	CONSTRAINT "escalation_contacts_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "escalation_contacts_level_check" CHECK ("escalation_contacts"."level" >= 1)
);
--> statement-breakpoint
CREATE TABLE "profiles" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "profiles_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	"email" text NOT NULL,
	"full_name" text NOT NULL,
	"phone" text,
	"locale" text DEFAULT 'en' NOT NULL,
	"auth_subject" text,
	"notification_preferences" jsonb DEFAULT '{}'::jsonb NOT NULL,
	CONSTRAINT "profiles_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "profiles_auth_subject_unique" UNIQUE("auth_subject")
);
--> statement-breakpoint
CREATE TABLE "user_roles" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "user_roles_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"public_id" uuid DEFAULT uuidv7() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"organization_id" integer NOT NULL,
	"profile_id" integer NOT NULL,
	"site_id" integer,
	"role" "app_role" NOT NULL,
	CONSTRAINT "user_roles_public_id_unique" UNIQUE("public_id"),
	CONSTRAINT "user_roles_organization_id_profile_id_site_id_key" UNIQUE NULLS NOT DISTINCT("organization_id","profile_id","site_id")
);
--> statement-breakpoint
ALTER TABLE "alert_rules" ADD CONSTRAINT "alert_rules_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_rules" ADD CONSTRAINT "alert_rules_site_id_sites_id_fk" FOREIGN KEY ("site_id") REFERENCES "public"."sites"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_rules" ADD CONSTRAINT "alert_rules_unit_id_units_id_fk" FOREIGN KEY ("unit_id") REFERENCES "public"."units"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_rules_history" ADD CONSTRAINT "alert_rules_history_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_rules_history" ADD CONSTRAINT "alert_rules_history_rule_id_alert_rules_id_fk" FOREIGN KEY ("rule_id") REFERENCES "public"."alert_rules"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alert_rules_history" ADD CONSTRAINT "alert_rules_history_changed_by_profiles_id_fk" FOREIGN KEY ("changed_by") REFERENCES "public"."profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alerts" ADD CONSTRAINT "alerts_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alerts" ADD CONSTRAINT "alerts_unit_id_units_id_fk" FOREIGN KEY ("unit_id") REFERENCES "public"."units"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alerts" ADD CONSTRAINT "alerts_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alerts" ADD CONSTRAINT "alerts_hub_id_hubs_id_fk" FOREIGN KEY ("hub_id") REFERENCES "public"."hubs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alerts" ADD CONSTRAINT "alerts_rule_id_alert_rules_id_fk" FOREIGN KEY ("rule_id") REFERENCES "public"."alert_rules"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alerts" ADD CONSTRAINT "alerts_acknowledged_by_profiles_id_fk" FOREIGN KEY ("acknowledged_by") REFERENCES "public"."profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alerts" ADD CONSTRAINT "alerts_resolved_by_profiles_id_fk" FOREIGN KEY ("resolved_by") REFERENCES "public"."profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "corrective_actions" ADD CONSTRAINT "corrective_actions_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "corrective_actions" ADD CONSTRAINT "corrective_actions_alert_id_alerts_id_fk" FOREIGN KEY ("alert_id") REFERENCES "public"."alerts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "corrective_actions" ADD CONSTRAINT "corrective_actions_profile_id_profiles_id_fk" FOREIGN KEY ("profile_id") REFERENCES "public"."profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "event_logs" ADD CONSTRAINT "event_logs_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "event_logs" ADD CONSTRAINT "event_logs_actor_profile_id_profiles_id_fk" FOREIGN KEY ("actor_profile_id") REFERENCES "public"."profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "calibration_records" ADD CONSTRAINT "calibration_records_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "calibration_records" ADD CONSTRAINT "calibration_records_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "calibration_records" ADD CONSTRAINT "calibration_records_performed_by_profiles_id_fk" FOREIGN KEY ("performed_by") REFERENCES "public"."profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "devices" ADD CONSTRAINT "devices_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "devices" ADD CONSTRAINT "devices_unit_id_units_id_fk" FOREIGN KEY ("unit_id") REFERENCES "public"."units"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "devices" ADD CONSTRAINT "devices_hub_id_hubs_id_fk" FOREIGN KEY ("hub_id") REFERENCES "public"."hubs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "lora_sensors" ADD CONSTRAINT "lora_sensors_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "lora_sensors" ADD CONSTRAINT "lora_sensors_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "lora_sensors" ADD CONSTRAINT "lora_sensors_network_server_id_network_servers_id_fk" FOREIGN KEY ("network_server_id") REFERENCES "pipeline"."network_servers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pairing_sessions" ADD CONSTRAINT "pairing_sessions_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pairing_sessions" ADD CONSTRAINT "pairing_sessions_site_id_sites_id_fk" FOREIGN KEY ("site_id") REFERENCES "public"."sites"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pairing_sessions" ADD CONSTRAINT "pairing_sessions_unit_id_units_id_fk" FOREIGN KEY ("unit_id") REFERENCES "public"."units"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pairing_sessions" ADD CONSTRAINT "pairing_sessions_hub_id_hubs_id_fk" FOREIGN KEY ("hub_id") REFERENCES "public"."hubs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pairing_sessions" ADD CONSTRAINT "pairing_sessions_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pairing_sessions" ADD CONSTRAINT "pairing_sessions_started_by_profiles_id_fk" FOREIGN KEY ("started_by") REFERENCES "public"."profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "areas" ADD CONSTRAINT "areas_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "areas" ADD CONSTRAINT "areas_site_id_sites_id_fk" FOREIGN KEY ("site_id") REFERENCES "public"."sites"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hubs" ADD CONSTRAINT "hubs_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hubs" ADD CONSTRAINT "hubs_site_id_sites_id_fk" FOREIGN KEY ("site_id") REFERENCES "public"."sites"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sites" ADD CONSTRAINT "sites_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "units" ADD CONSTRAINT "units_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "units" ADD CONSTRAINT "units_area_id_areas_id_fk" FOREIGN KEY ("area_id") REFERENCES "public"."areas"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."receipts" ADD CONSTRAINT "receipts_hub_id_hubs_id_fk" FOREIGN KEY ("hub_id") REFERENCES "public"."hubs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."rejected_messages" ADD CONSTRAINT "rejected_messages_payload_id_rejected_payloads_id_fk" FOREIGN KEY ("payload_id") REFERENCES "pipeline"."rejected_payloads"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."network_servers" ADD CONSTRAINT "network_servers_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."operator_credentials" ADD CONSTRAINT "operator_credentials_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notification_deliveries" ADD CONSTRAINT "notification_deliveries_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notification_deliveries" ADD CONSTRAINT "notification_deliveries_alert_id_alerts_id_fk" FOREIGN KEY ("alert_id") REFERENCES "public"."alerts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notification_deliveries" ADD CONSTRAINT "notification_deliveries_contact_id_escalation_contacts_id_fk" FOREIGN KEY ("contact_id") REFERENCES "public"."escalation_contacts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notification_deliveries" ADD CONSTRAINT "notification_deliveries_profile_id_profiles_id_fk" FOREIGN KEY ("profile_id") REFERENCES "public"."profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."maintenance_windows" ADD CONSTRAINT "maintenance_windows_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."maintenance_windows" ADD CONSTRAINT "maintenance_windows_site_id_sites_id_fk" FOREIGN KEY ("site_id") REFERENCES "public"."sites"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."maintenance_windows" ADD CONSTRAINT "maintenance_windows_unit_id_units_id_fk" FOREIGN KEY ("unit_id") REFERENCES "public"."units"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."maintenance_windows" ADD CONSTRAINT "maintenance_windows_created_by_profiles_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."device_assignments" ADD CONSTRAINT "device_assignments_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."device_assignments" ADD CONSTRAINT "device_assignments_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."device_assignments" ADD CONSTRAINT "device_assignments_site_id_sites_id_fk" FOREIGN KEY ("site_id") REFERENCES "public"."sites"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."device_assignments" ADD CONSTRAINT "device_assignments_unit_id_units_id_fk" FOREIGN KEY ("unit_id") REFERENCES "public"."units"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."device_assignments" ADD CONSTRAINT "device_assignments_hub_id_hubs_id_fk" FOREIGN KEY ("hub_id") REFERENCES "public"."hubs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "manual_temperature_logs" ADD CONSTRAINT "manual_temperature_logs_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "manual_temperature_logs" ADD CONSTRAINT "manual_temperature_logs_unit_id_units_id_fk" FOREIGN KEY ("unit_id") REFERENCES "public"."units"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "manual_temperature_logs" ADD CONSTRAINT "manual_temperature_logs_profile_id_profiles_id_fk" FOREIGN KEY ("profile_id") REFERENCES "public"."profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "escalation_contacts" ADD CONSTRAINT "escalation_contacts_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "escalation_contacts" ADD CONSTRAINT "escalation_contacts_site_id_sites_id_fk" FOREIGN KEY ("site_id") REFERENCES "public"."sites"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "escalation_contacts" ADD CONSTRAINT "escalation_contacts_profile_id_profiles_id_fk" FOREIGN KEY ("profile_id") REFERENCES "public"."profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "user_roles" ADD CONSTRAINT "user_roles_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "user_roles" ADD CONSTRAINT "user_roles_profile_id_profiles_id_fk" FOREIGN KEY ("profile_id") REFERENCES "public"."profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "user_roles" ADD CONSTRAINT "user_roles_site_id_sites_id_fk" FOREIGN KEY ("site_id") REFERENCES "public"."sites"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "alert_rules_organization_id_condition_type_idx" ON "alert_rules" USING btree ("organization_id","condition_type");--> statement-breakpoint
CREATE INDEX "alert_rules_site_id_idx" ON "alert_rules" USING btree ("site_id");--> statement-breakpoint
CREATE INDEX "alert_rules_unit_id_idx" ON "alert_rules" USING btree ("unit_id");--> statement-breakpoint
CREATE UNIQUE INDEX "alert_rules_scope_name_live_key" ON "alert_rules" USING btree ("organization_id",coalesce("site_id", 0),coalesce("unit_id", 0),"name") WHERE "alert_rules"."deleted_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "alert_rules_history_rule_id_version_key" ON "alert_rules_history" USING btree ("rule_id","version");--> statement-breakpoint
CREATE INDEX "alert_rules_history_organization_id_changed_at_idx" ON "alert_rules_history" USING btree ("organization_id","changed_at");--> statement-breakpoint
CREATE INDEX "alert_rules_history_changed_by_idx" ON "alert_rules_history" USING btree ("changed_by");--> statement-breakpoint
CREATE INDEX "alerts_organization_id_status_triggered_at_idx" ON "alerts" USING btree ("organization_id","status","triggered_at");--> statement-breakpoint
CREATE INDEX "alerts_unit_id_started_at_idx" ON "alerts" USING btree ("unit_id","started_at");--> statement-breakpoint
CREATE INDEX "alerts_device_id_idx" ON "alerts" USING btree ("device_id");--> statement-breakpoint
CREATE INDEX "alerts_hub_id_idx" ON "alerts" USING btree ("hub_id");--> statement-breakpoint
CREATE INDEX "alerts_rule_id_idx" ON "alerts" USING btree ("rule_id");--> statement-breakpoint
CREATE INDEX "alerts_acknowledged_by_idx" ON "alerts" USING btree ("acknowledged_by");--> statement-breakpoint
CREATE INDEX "alerts_resolved_by_idx" ON "alerts" USING btree ("resolved_by");--> statement-breakpoint
CREATE UNIQUE INDEX "alerts_open_unit_key" ON "alerts" USING btree ("unit_id",coalesce("rule_id", 0),"condition_type") WHERE "alerts"."status" <> 'resolved' and "alerts"."alert_type" in ('alarm_active', 'door_open', 'missed_manual_entry');--> statement-breakpoint
CREATE UNIQUE INDEX "alerts_open_device_key" ON "alerts" USING btree ("device_id",coalesce("unit_id", 0),coalesce("rule_id", 0),"condition_type") WHERE "alerts"."status" <> 'resolved' and "alerts"."alert_type" in ('monitoring_interrupted', 'low_battery', 'sensor_fault', 'calibration_due');--> statement-breakpoint
CREATE UNIQUE INDEX "alerts_open_hub_key" ON "alerts" USING btree ("hub_id") WHERE "alerts"."status" <> 'resolved' and "alerts"."unit_id" is null and "alerts"."device_id" is null;--> statement-breakpoint
CREATE INDEX "corrective_actions_organization_id_taken_at_idx" ON "corrective_actions" USING btree ("organization_id","taken_at");--> statement-breakpoint
CREATE INDEX "corrective_actions_alert_id_idx" ON "corrective_actions" USING btree ("alert_id");--> statement-breakpoint
CREATE INDEX "corrective_actions_profile_id_idx" ON "corrective_actions" USING btree ("profile_id");--> statement-breakpoint
CREATE INDEX "event_logs_organization_id_occurred_at_idx" ON "event_logs" USING btree ("organization_id","occurred_at");--> statement-breakpoint
CREATE INDEX "event_logs_organization_id_entity_idx" ON "event_logs" USING btree ("organization_id","entity_type","entity_id");--> statement-breakpoint
CREATE INDEX "event_logs_actor_profile_id_idx" ON "event_logs" USING btree ("actor_profile_id");--> statement-breakpoint
CREATE UNIQUE INDEX "calibration_records_device_id_calibrated_at_key" ON "calibration_records" USING btree ("device_id","calibrated_at");--> statement-breakpoint
CREATE INDEX "calibration_records_organization_id_expires_at_idx" ON "calibration_records" USING btree ("organization_id","expires_at");--> statement-breakpoint
CREATE INDEX "calibration_records_performed_by_idx" ON "calibration_records" USING btree ("performed_by");--> statement-breakpoint
CREATE INDEX "devices_organization_id_idx" ON "devices" USING btree ("organization_id");--> statement-breakpoint
CREATE INDEX "devices_unit_id_idx" ON "devices" USING btree ("unit_id");--> statement-breakpoint
CREATE INDEX "devices_hub_id_idx" ON "devices" USING btree ("hub_id");--> statement-breakpoint
CREATE UNIQUE INDEX "devices_device_eui_live_key" ON "devices" USING btree ("device_eui") WHERE "devices"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "lora_sensors_organization_id_idx" ON "lora_sensors" USING btree ("organization_id");--> statement-breakpoint
CREATE INDEX "lora_sensors_network_server_id_idx" ON "lora_sensors" USING btree ("network_server_id");--> statement-breakpoint
CREATE UNIQUE INDEX "lora_sensors_dev_eui_live_key" ON "lora_sensors" USING btree ("dev_eui") WHERE "lora_sensors"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "pairing_sessions_organization_id_status_idx" ON "pairing_sessions" USING btree ("organization_id","status");--> statement-breakpoint
CREATE INDEX "pairing_sessions_site_id_idx" ON "pairing_sessions" USING btree ("site_id");--> statement-breakpoint
CREATE INDEX "pairing_sessions_unit_id_idx" ON "pairing_sessions" USING btree ("unit_id");--> statement-breakpoint
CREATE INDEX "pairing_sessions_hub_id_idx" ON "pairing_sessions" USING btree ("hub_id");--> statement-breakpoint
CREATE INDEX "pairing_sessions_device_id_idx" ON "pairing_sessions" USING btree ("device_id");--> statement-breakpoint
CREATE INDEX "pairing_sessions_started_by_idx" ON "pairing_sessions" USING btree ("started_by");--> statement-breakpoint
CREATE UNIQUE INDEX "pairing_sessions_code_pending_key" ON "pairing_sessions" USING btree ("code") WHERE "pairing_sessions"."status" = 'pending';--> statement-breakpoint
CREATE INDEX "areas_organization_id_idx" ON "areas" USING btree ("organization_id");--> statement-breakpoint
CREATE INDEX "areas_site_id_sort_order_idx" ON "areas" USING btree ("site_id","sort_order");--> statement-breakpoint
CREATE UNIQUE INDEX "areas_site_id_name_live_key" ON "areas" USING btree ("site_id","name") WHERE "areas"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "hubs_organization_id_idx" ON "hubs" USING btree ("organization_id");--> statement-breakpoint
CREATE INDEX "hubs_site_id_idx" ON "hubs" USING btree ("site_id");--> statement-breakpoint
CREATE UNIQUE INDEX "hubs_key_live_key" ON "hubs" USING btree ("key") WHERE "hubs"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "sites_organization_id_idx" ON "sites" USING btree ("organization_id");--> statement-breakpoint
CREATE UNIQUE INDEX "sites_organization_id_name_live_key" ON "sites" USING btree ("organization_id","name") WHERE "sites"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "units_organization_id_status_idx" ON "units" USING btree ("organization_id","status");--> statement-breakpoint
CREATE INDEX "units_area_id_idx" ON "units" USING btree ("area_id");--> statement-breakpoint
CREATE UNIQUE INDEX "units_area_id_name_live_key" ON "units" USING btree ("area_id","name") WHERE "units"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "ingest_batches_tx_id_idx" ON "pipeline"."ingest_batches" USING btree ("tx","id");--> statement-breakpoint
CREATE INDEX "rejected_messages_payload_id_idx" ON "pipeline"."rejected_messages" USING btree ("payload_id");--> statement-breakpoint
CREATE INDEX "rejected_messages_client_id_idx" ON "pipeline"."rejected_messages" USING btree ("client","id");--> statement-breakpoint
CREATE INDEX "rejected_messages_received_at_idx" ON "pipeline"."rejected_messages" USING btree ("received_at");--> statement-breakpoint
CREATE INDEX "rejected_payloads_received_at_idx" ON "pipeline"."rejected_payloads" USING btree ("received_at");--> statement-breakpoint
CREATE INDEX "rejected_payloads_client_id_idx" ON "pipeline"."rejected_payloads" USING btree ("client","id");--> statement-breakpoint
CREATE INDEX "rejected_payloads_batch_id_idx" ON "pipeline"."rejected_payloads" USING btree ("batch_id");--> statement-breakpoint
CREATE INDEX "network_servers_organization_id_idx" ON "pipeline"."network_servers" USING btree ("organization_id");--> statement-breakpoint
CREATE UNIQUE INDEX "network_servers_key_live_key" ON "pipeline"."network_servers" USING btree ("key") WHERE "pipeline"."network_servers"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "notification_deliveries_organization_id_scheduled_at_idx" ON "notification_deliveries" USING btree ("organization_id","scheduled_at");--> statement-breakpoint
CREATE INDEX "notification_deliveries_alert_id_idx" ON "notification_deliveries" USING btree ("alert_id");--> statement-breakpoint
CREATE INDEX "notification_deliveries_contact_id_idx" ON "notification_deliveries" USING btree ("contact_id");--> statement-breakpoint
CREATE INDEX "notification_deliveries_profile_id_idx" ON "notification_deliveries" USING btree ("profile_id");--> statement-breakpoint
CREATE INDEX "notification_deliveries_pending_idx" ON "notification_deliveries" USING btree ("scheduled_at") WHERE "notification_deliveries"."status" = 'pending';--> statement-breakpoint
CREATE INDEX "downtime_intervals_started_at_idx" ON "pipeline"."downtime_intervals" USING btree ("started_at");--> statement-breakpoint
CREATE INDEX "maintenance_windows_organization_id_ends_at_idx" ON "pipeline"."maintenance_windows" USING btree ("organization_id","ends_at");--> statement-breakpoint
CREATE INDEX "maintenance_windows_site_id_idx" ON "pipeline"."maintenance_windows" USING btree ("site_id");--> statement-breakpoint
CREATE INDEX "maintenance_windows_unit_id_idx" ON "pipeline"."maintenance_windows" USING btree ("unit_id");--> statement-breakpoint
CREATE INDEX "maintenance_windows_created_by_idx" ON "pipeline"."maintenance_windows" USING btree ("created_by");--> statement-breakpoint
CREATE INDEX "device_assignments_device_id_valid_from_idx" ON "pipeline"."device_assignments" USING btree ("device_id","valid_from");--> statement-breakpoint
CREATE INDEX "device_assignments_organization_id_idx" ON "pipeline"."device_assignments" USING btree ("organization_id");--> statement-breakpoint
CREATE INDEX "device_assignments_site_id_idx" ON "pipeline"."device_assignments" USING btree ("site_id");--> statement-breakpoint
CREATE INDEX "device_assignments_unit_id_idx" ON "pipeline"."device_assignments" USING btree ("unit_id");--> statement-breakpoint
CREATE INDEX "device_assignments_hub_id_idx" ON "pipeline"."device_assignments" USING btree ("hub_id");--> statement-breakpoint
CREATE UNIQUE INDEX "device_assignments_device_id_open_key" ON "pipeline"."device_assignments" USING btree ("device_id") WHERE "pipeline"."device_assignments"."valid_to" = 'infinity';--> statement-breakpoint
CREATE INDEX "door_events_batch_id_idx" ON "door_events" USING brin ("batch_id") WITH (autosummarize=true);--> statement-breakpoint
CREATE INDEX "manual_temperature_logs_organization_id_recorded_at_idx" ON "manual_temperature_logs" USING btree ("organization_id","recorded_at");--> statement-breakpoint
CREATE INDEX "manual_temperature_logs_unit_id_recorded_at_idx" ON "manual_temperature_logs" USING btree ("unit_id","recorded_at");--> statement-breakpoint
CREATE INDEX "manual_temperature_logs_profile_id_idx" ON "manual_temperature_logs" USING btree ("profile_id");--> statement-breakpoint
CREATE INDEX "sensor_readings_batch_id_idx" ON "sensor_readings" USING brin ("batch_id") WITH (autosummarize=true);--> statement-breakpoint
CREATE UNIQUE INDEX "organizations_slug_live_key" ON "organizations" USING btree ("slug") WHERE "organizations"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "subscriptions_organization_id_created_at_idx" ON "subscriptions" USING btree ("organization_id","created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "subscriptions_organization_id_current_key" ON "subscriptions" USING btree ("organization_id") WHERE "subscriptions"."status" <> 'canceled';--> statement-breakpoint
CREATE INDEX "escalation_contacts_organization_id_level_idx" ON "escalation_contacts" USING btree ("organization_id","level");--> statement-breakpoint
CREATE INDEX "escalation_contacts_site_id_idx" ON "escalation_contacts" USING btree ("site_id");--> statement-breakpoint
CREATE INDEX "escalation_contacts_profile_id_idx" ON "escalation_contacts" USING btree ("profile_id");--> statement-breakpoint
CREATE UNIQUE INDEX "escalation_contacts_organization_id_name_live_key" ON "escalation_contacts" USING btree ("organization_id","name") WHERE "escalation_contacts"."deleted_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "profiles_email_live_key" ON "profiles" USING btree (lower("email")) WHERE "profiles"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "user_roles_profile_id_idx" ON "user_roles" USING btree ("profile_id");--> statement-breakpoint
CREATE INDEX "user_roles_site_id_idx" ON "user_roles" USING btree ("site_id");