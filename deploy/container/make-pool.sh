#!/bin/sh
# Makes Airflow's pool of the tasks that download, where there is none: one that is there keeps its number of slots.
# Batches download for hours; one slot less than Airflow runs tasks at once leaves a place for all others.
set -eu
[ -n "${PYPI_MIRROR_POOL:-}" ] || exit 0
if ! airflow pools get "$PYPI_MIRROR_POOL" >/dev/null 2>&1; then
    airflow pools set "$PYPI_MIRROR_POOL" "$((${AIRFLOW__CORE__PARALLELISM:-32} - 1))" \
        "Batches of the mirror that download at once; 0 holds back what has not begun"
fi
