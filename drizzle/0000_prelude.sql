-- Before PostgreSQL 18 there is no uuidv7(). This one follows RFC 9562, section 5.7: 48 bits of Unix milliseconds,
-- version 7, and random bits elsewhere, taken from a version 4 UUID, whose variant bits are already right.
DO $prelude$
BEGIN
  IF to_regprocedure('pg_catalog.uuidv7()') IS NULL THEN
    CREATE FUNCTION public.uuidv7() RETURNS uuid
    LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $function$
      SELECT encode(
        set_bit(
          set_bit(
            overlay(
              uuid_send(gen_random_uuid())
              PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
              FROM 1 FOR 6
            ),
            52, 1
          ),
          53, 1
        ),
        'hex'
      )::uuid
    $function$;
    COMMENT ON FUNCTION public.uuidv7() IS 'Stands in for the built-in function of PostgreSQL 18';
  END IF;
END
$prelude$;
