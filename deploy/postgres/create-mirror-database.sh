#!/bin/sh
# Run once by PostgreSQL's image, when its volume is empty: a role and a database of its own for Airflow and for
# the mirror's ledger. Neither role can read the other's, or is a superuser.
set -eu

: "${AIRFLOW_DATABASE_PASSWORD:?is not set}" "${MIRROR_DATABASE_PASSWORD:?is not set}"

# Passwords travel as psql variables, which :'name' quotes, and over its standard input, not its arguments.
create() {
    psql --username "$POSTGRES_USER" --dbname postgres --no-password --quiet --set ON_ERROR_STOP=1 <<SQL
\set name $1
\set password \`printf %s "\$$2"\`
CREATE ROLE :"name" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

create airflow AIRFLOW_DATABASE_PASSWORD
create mirror MIRROR_DATABASE_PASSWORD
