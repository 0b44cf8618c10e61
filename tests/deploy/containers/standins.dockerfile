# Stand-ins for the images that compose.yaml and the Dockerfile name, where no registry can be reached: Debian's Python, Redis, PostgreSQL,
# Prometheus and tools, and Caddy of the pinned minor version. standins.py builds them. Packages of Python are in /wheels, because the builder has
# no network either.
FROM studio-pulse-test-root AS root

FROM root AS python
RUN ln -s python3 /usr/bin/python && rm -f /usr/lib/python3.*/EXTERNALLY-MANAGED
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels
COPY wheels /wheels

# Its working directory is not the volume, as in images other than the official one.
FROM root AS redis
RUN mkdir /data && chown 999:1000 /data

FROM root AS caddy
COPY bin/caddy /usr/bin/caddy
RUN mkdir /data && setcap cap_net_bind_service=+ep /usr/bin/caddy
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]

FROM root AS prometheus
COPY bin/prometheus /usr/bin/prometheus
RUN mkdir /prometheus && chown 65534:65534 /prometheus
ENTRYPOINT ["prometheus"]

FROM root AS redis_exporter
COPY bin/prometheus-redis-exporter /usr/bin/prometheus-redis-exporter
ENTRYPOINT ["prometheus-redis-exporter"]

# With the directories, user and start of the official image. The client's programs are in the same directory.
FROM root AS postgres
RUN groupadd --gid 70 postgres && useradd --uid 70 --gid 70 --no-create-home --home-dir /var/lib/postgresql postgres && \
    mkdir -p /var/lib/postgresql/data && chown -R 70:70 /var/lib/postgresql
COPY postgresql /usr
COPY postgres-start.sh /usr/local/bin/
ENV PATH=/usr/lib/postgresql/15/bin:$PATH
STOPSIGNAL SIGINT
ENTRYPOINT ["postgres-start.sh"]
CMD ["postgres"]
