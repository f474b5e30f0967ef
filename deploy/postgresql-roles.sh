#!/bin/sh
# Run by PostgreSQL's image on an empty volume: a role for Temporal and one for Segue; neither can read the other.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --set temporal="$TEMPORAL_DB_PASSWORD" \
    --set segue="$SEGUE_DB_PASSWORD" <<'SQL'
CREATE ROLE temporal LOGIN PASSWORD :'temporal';
CREATE ROLE segue LOGIN PASSWORD :'segue';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
CREATE DATABASE segue OWNER segue;
REVOKE CONNECT ON DATABASE temporal, temporal_visibility, segue FROM PUBLIC;
SQL
