# The images of compose.yaml, one target each: ingest, broadcast, worker, and Caddy as front. Those of ingest and broadcast contain the token
# command line.
FROM python:3.11.15-slim-bookworm AS packages
COPY requirements.txt .
RUN python -m venv --without-pip /opt/venv && \
    python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check --only-binary :all: \
    --require-hashes -r requirements.txt

FROM python:3.11.15-slim-bookworm AS common
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY pyproject.toml pyproject.toml
COPY shared shared
# Where the volume with an archive in SQLite is mounted; a new volume gets this owner.
RUN mkdir /archive && chown 10001:10001 /archive
# Numeric, so that an orchestrator can verify that it is not root.
USER 10001:10001
STOPSIGNAL SIGTERM

FROM common AS ingest
ENV INGEST_HOST=0.0.0.0 INGEST_PORT=8001
COPY ingest_service ingest_service
EXPOSE 8001
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-I", "-S", "shared/web/ready.py", "8001"]
CMD ["python", "-m", "ingest_service"]

# What reads and writes the archive has more packages.
FROM packages AS worker-packages
# To export as Parquet name requirements-parquet.txt here: docker compose build --build-arg WORKER_REQUIREMENTS=requirements-parquet.txt worker
ARG WORKER_REQUIREMENTS=requirements-worker.txt
COPY requirements-worker.txt .
COPY requirements-parquet.txt .
RUN python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check --only-binary :all: \
    --require-hashes -r "$WORKER_REQUIREMENTS"

FROM common AS broadcast
ENV BROADCAST_HOST=0.0.0.0 BROADCAST_PORT=8002
COPY --from=worker-packages /opt/venv /opt/venv
COPY broadcast_service broadcast_service
EXPOSE 8002
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-I", "-S", "shared/web/ready.py", "8002"]
CMD ["python", "-m", "broadcast_service"]

FROM common AS worker
ENV WORKER_HOST=0.0.0.0 WORKER_PORT=8004 DATABASE_URL=sqlite:////archive/archive.db
COPY --from=worker-packages /opt/venv /opt/venv
COPY worker_service worker_service
EXPOSE 8004
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-I", "-S", "shared/web/ready.py", "8004"]
CMD ["python", "-m", "worker_service"]

FROM caddy:2.11.2-alpine AS front
# The binary has a file capability and does not start if the container lacks it. Low ports are allowed by sysctl instead.
RUN setcap -r /usr/bin/caddy && chown 10001:10001 /data
USER 10001:10001
