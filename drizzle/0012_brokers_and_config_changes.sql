CREATE TABLE "pipeline"."brokers" (
	"id" text PRIMARY KEY NOT NULL,
	"published_id" bigint NOT NULL,
	"seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "pipeline"."config_changes" (
	"version" bigint NOT NULL,
	"scope" text NOT NULL,
	"scope_id" integer NOT NULL,
	CONSTRAINT "config_changes_pkey" PRIMARY KEY("version","scope","scope_id"),
	CONSTRAINT "config_changes_scope_check" CHECK ("pipeline"."config_changes"."scope" in ('everything', 'organization', 'site', 'unit', 'device'))
);
