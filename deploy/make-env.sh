#!/bin/sh
# Writes .env beside docker-compose.yaml: a copy of .env.example in which every empty value is a random secret.
# An .env that is there stays as it is: its passwords are in the database, its Fernet key encrypts connections.
set -eu
umask 077
cd "$(dirname "$0")/.."

target=.env
if [ -e "$target" ]; then
    echo "make env: $target is there already and stays as it is. Remove it to have new secrets; those of" >&2
    echo "PostgreSQL then have to be changed in its database, too (deploy/README.md)." >&2
    exit 1
fi

# 256 bits in URL-safe base64, as Fernet wants its key.
secret() {
    head -c 32 /dev/urandom | base64 | tr '+/' '-_'
}

new=$(mktemp "$target.XXXXXX")
trap 'rm -f "$new"' EXIT
while IFS= read -r line; do
    case "$line" in
    FERNET_KEY=) echo "$line$(secret)" ;;
    [A-Z]*=) echo "$line$(secret | tr -d '=')" ;;
    *) echo "$line" ;;
    esac
done <.env.example >"$new"
mv "$new" "$target"
trap - EXIT
echo "$target is written. The password of the user admin in it: grep ADMIN_PASSWORD $target"
