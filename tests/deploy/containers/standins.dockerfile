# Stand-ins for the images that compose.yaml and the Dockerfile name, where no registry can be reached: Debian's Python, Redis, Prometheus and
# tools, and Caddy of the pinned version. engine.py builds them. Packages of Python are in /wheels, because the builder has no network either.
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
