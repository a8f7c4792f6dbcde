CREATE TABLE "pipeline"."config_history" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "pipeline"."config_history_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"entity" text NOT NULL,
	"entity_id" integer NOT NULL,
	"valid_from" timestamp (3) with time zone NOT NULL,
	"values" jsonb NOT NULL,
	CONSTRAINT "config_history_entity_check" CHECK ("pipeline"."config_history"."entity" in ('unit', 'device'))
);
--> statement-breakpoint
CREATE TABLE "pipeline"."evaluator_cursors" (
	"name" text PRIMARY KEY NOT NULL,
	"tx" "xid8" NOT NULL,
	"batch_id" bigint NOT NULL,
	"cluster" text NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "pipeline"."leases" (
	"name" text PRIMARY KEY NOT NULL,
	"holder" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "pipeline"."outgoing_messages" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "pipeline"."outgoing_messages_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"topic" text NOT NULL,
	"payload" text NOT NULL,
	"retain" boolean DEFAULT false NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "pipeline"."rule_episodes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "pipeline"."rule_episodes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"unit_id" integer NOT NULL,
	"device_id" integer NOT NULL,
	"rule_id" integer,
	"condition_type" text NOT NULL,
	"rule_version" integer NOT NULL,
	"severity" "alert_severity" NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"triggered_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"resolution" text,
	"trigger_centi" integer,
	"limit_centi" integer,
	"peak_centi" integer,
	"confirmed_ms" bigint NOT NULL,
	"unknown_ms" bigint NOT NULL,
	"newest_is_good" boolean NOT NULL,
	CONSTRAINT "rule_episodes_resolution_check" CHECK ("pipeline"."rule_episodes"."resolution" in ('recovered', 'rule_changed')),
	CONSTRAINT "rule_episodes_end_check" CHECK (("pipeline"."rule_episodes"."ended_at" is null) = ("pipeline"."rule_episodes"."resolution" is null))
);
--> statement-breakpoint
CREATE TABLE "pipeline"."rule_states" (
	"unit_id" integer NOT NULL,
	"device_id" integer NOT NULL,
	"state" jsonb NOT NULL,
	"newest_at" timestamp (3) with time zone,
	CONSTRAINT "rule_states_pkey" PRIMARY KEY("unit_id","device_id")
);
--> statement-breakpoint
DROP INDEX "alert_rules_scope_name_live_key";--> statement-breakpoint
ALTER TABLE "alerts" ADD COLUMN "paged_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "alerts" ADD COLUMN "evidence_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "lora_sensors" ADD COLUMN "dev_addr" text;--> statement-breakpoint
ALTER TABLE "lora_sensors" ADD COLUMN "last_uplink_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "lora_sensors" ADD COLUMN "f_cnt_gaps" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "lora_sensors" ADD COLUMN "f_cnt_resets" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "pipeline"."registry_version" ADD COLUMN "config_version" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "pipeline"."rule_episodes" ADD CONSTRAINT "rule_episodes_unit_id_units_id_fk" FOREIGN KEY ("unit_id") REFERENCES "public"."units"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."rule_episodes" ADD CONSTRAINT "rule_episodes_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."rule_episodes" ADD CONSTRAINT "rule_episodes_rule_id_alert_rules_id_fk" FOREIGN KEY ("rule_id") REFERENCES "public"."alert_rules"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."rule_states" ADD CONSTRAINT "rule_states_unit_id_units_id_fk" FOREIGN KEY ("unit_id") REFERENCES "public"."units"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline"."rule_states" ADD CONSTRAINT "rule_states_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "config_history_entity_entity_id_valid_from_key" ON "pipeline"."config_history" USING btree ("entity","entity_id","valid_from");--> statement-breakpoint
CREATE INDEX "rule_episodes_unit_id_condition_type_rule_id_started_at_idx" ON "pipeline"."rule_episodes" USING btree ("unit_id","condition_type","rule_id","started_at");--> statement-breakpoint
CREATE INDEX "rule_episodes_device_id_started_at_idx" ON "pipeline"."rule_episodes" USING btree ("device_id","started_at");--> statement-breakpoint
CREATE INDEX "rule_episodes_rule_id_idx" ON "pipeline"."rule_episodes" USING btree ("rule_id");--> statement-breakpoint
CREATE INDEX "rule_states_device_id_idx" ON "pipeline"."rule_states" USING btree ("device_id");--> statement-breakpoint
CREATE UNIQUE INDEX "alert_rules_scope_name_condition_type_live_key" ON "alert_rules" USING btree ("organization_id",coalesce("site_id", 0),coalesce("unit_id", 0),"name","condition_type") WHERE "alert_rules"."deleted_at" is null;--> statement-breakpoint
ALTER TABLE "lora_sensors" ADD CONSTRAINT "lora_sensors_dev_addr_check" CHECK ("lora_sensors"."dev_addr" ~ '^[0-9a-f]{8}$');