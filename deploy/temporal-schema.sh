#!/bin/sh
# Brings Temporal's two databases to this server's version; the password comes as SQL_PASSWORD.
set -eu
for database in temporal temporal_visibility; do
    tool="temporal-sql-tool --plugin postgres12 --ep postgresql --port 5432 --user temporal --database $database"
    $tool setup-schema --version 0.0 || true # fails when there is a schema already; update-schema fails if all is not well
    $tool update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/${database#temporal_}/versioned"
done
