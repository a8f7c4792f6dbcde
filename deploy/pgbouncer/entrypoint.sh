#!/bin/sh
# Writes PgBouncer's user list from the environment, then becomes the command.
set -eu
: "${POSTGRES_USER:?PgBouncer needs POSTGRES_USER, the user that FrostGuard logs in as}"
: "${POSTGRES_PASSWORD:?PgBouncer needs POSTGRES_PASSWORD, the password of POSTGRES_USER}"
: "${PGBOUNCER_AUTH_FILE:?PgBouncer needs PGBOUNCER_AUTH_FILE, the path of auth_file in pgbouncer.ini}"

# In the file, a double quote is written twice.
quoted() {
  printf '"%s"' "$(printf '%s' "$1" | sed 's/"/""/g')"
}

umask 077
printf '%s %s\n' "$(quoted "$POSTGRES_USER")" "$(quoted "$POSTGRES_PASSWORD")" >"$PGBOUNCER_AUTH_FILE"
exec "$@"
