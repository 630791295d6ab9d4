#!/bin/sh
# Starts one part of the deployment, as the entry point of the image; other words are run as a command.
set -eu
# Where several users write one mirror, what one of them makes must be open to their group.
umask 002

# In memory, and with the passwords in it: for nobody else.
[ -z "${AIRFLOW_HOME:-}" ] || mkdir -p -m 700 "$AIRFLOW_HOME"

part=${1:-}
case "$part" in
init)
    airflow db migrate
    "$(dirname "$0")/make-pool.sh"
    # An older ledger is upgraded, a newer one refused; the second makes one where there is none.
    pypi-mirror ledger upgrade --wait
    pypi-mirror nginx render >/dev/null
    ;;
api-server)
    python -m mirror_airflow.write_passwords
    # The file has them now; tasks and plugins need not see them.
    unset ADMIN_PASSWORD VIEWER_PASSWORD
    exec airflow api-server
    ;;
scheduler | triggerer)
    # The API server reads their logs from the volume that all of them share.
    exec airflow "$part" --skip-serve-logs
    ;;
dag-processor)
    exec airflow dag-processor
    ;;
worker)
    exec airflow celery worker --celery-hostname "${WORKER_NAME:-$(hostname)}" --skip-serve-logs
    ;;
nginx)
    exec pypi-mirror nginx serve --runtime "${NGINX_RUNTIME:-/tmp/nginx}" \
        --access-log "${NGINX_ACCESS_LOG:-/dev/stdout}"
    ;;
*)
    exec "$@"
    ;;
esac
