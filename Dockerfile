# One image for every part: Airflow with our DAGs and page, the engine, and nginx. What runs is the argument of
# deploy/container/run.sh: init, api-server, scheduler, dag-processor, triggerer, worker or nginx.
#
# It is made from a Python image and our own pins instead of from Airflow's image: every package is checked
# against its hash in requirements.txt, and nothing is in it that we do not need.

# The Python that the tests run with, for all platforms by one digest: a tag that is pushed again changes nothing.
# Another one: docker compose build --build-arg PYTHON_IMAGE=python:3.13-slim-bookworm
ARG PYTHON_IMAGE=python:3.11.15-slim-bookworm@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3

FROM ${PYTHON_IMAGE} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /opt/pypi-mirror
RUN python -m venv /opt/venv
COPY requirements.txt requirements-celery.txt requirements-kubernetes.txt ./
# 1 for the KubernetesExecutor.
ARG WITH_KUBERNETES=
# Wheels only: nothing is compiled here, and no setup.py of a stranger is run.
RUN /opt/venv/bin/pip install --only-binary :all: --require-hashes -r requirements.txt -r requirements-celery.txt \
    ${WITH_KUBERNETES:+-r requirements-kubernetes.txt}
COPY pyproject.toml README.md LICENSE ./
COPY include include
# The engine stays where PYTHONPATH has it for the DAGs; this only makes the command pypi-mirror.
RUN /opt/venv/bin/pip install --no-deps --no-build-isolation --no-index --editable . \
    && /opt/venv/bin/pip check \
    && /opt/venv/bin/pip uninstall --yes pip \
    && python -m compileall -q /opt/venv /opt/pypi-mirror/include


FROM ${PYTHON_IMAGE}
# nginx-light is Debian's, with gzip_static: pages are served as they were compressed, with strong ETags.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nginx-light tzdata \
    && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled \
    && groupadd --gid 10001 mirror \
    && useradd --uid 10001 --gid mirror --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin mirror \
    && groupadd --gid 10002 web \
    && useradd --uid 10002 --gid web --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin web \
    && install --directory --owner mirror --group mirror --mode 2775 \
        /srv/pypi /var/log/airflow
COPY --from=packages /opt /opt
COPY dags /opt/pypi-mirror/dags
COPY plugins /opt/pypi-mirror/plugins
COPY deploy/container /opt/pypi-mirror/deploy/container
COPY deploy/mirror.conf /etc/pypi-mirror/mirror.conf

ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \
    PYTHONPATH=/opt/pypi-mirror/include \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYPI_MIRROR_CONF=/etc/pypi-mirror/mirror.conf \
    AIRFLOW_HOME=/tmp/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/pypi-mirror/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/pypi-mirror/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/var/log/airflow
USER mirror:mirror
WORKDIR /srv/pypi
VOLUME ["/srv/pypi", "/var/log/airflow"]
EXPOSE 8080
ENTRYPOINT ["/opt/pypi-mirror/deploy/container/run.sh"]
CMD ["api-server"]
# Of the part that starts when none is named; docker-compose.yaml has the check of each.
HEALTHCHECK --interval=30s --timeout=20s --start-period=2m --retries=3 \
    CMD ["python", "-m", "mirror_airflow.healthy", "api-server"]
