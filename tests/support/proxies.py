"""Real nginx and Caddy in front of the services, set up well or with common mistakes."""

import pathlib

from tests.support import needs
from tests.support.studio import Studio
from tools.processes import Service, free_port

NGINX = """
daemon off; master_process off; pid {home}/nginx.pid; error_log {home}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {home}; proxy_temp_path {home}; fastcgi_temp_path {home};
    uwsgi_temp_path {home}; scgi_temp_path {home};
    {http}
    server {{ listen 127.0.0.1:{port}; {body} }}
}}
"""
UPGRADE = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
HOST = "proxy_set_header Host $http_host;"


class Proxy(Service):
    """A proxy of this kind; its `url` is where the page is opened."""

    def __init__(self, kind: str, home: pathlib.Path, port: int, config: pathlib.Path) -> None:
        self._kind = kind
        self._config = config
        self._home = home
        super().__init__(kind, {"HOME": str(home), "XDG_DATA_HOME": str(home)}, host="127.0.0.1", port=port, log=home / f"{kind}.log")

    def command(self) -> list[str]:
        """What runs it."""
        if self._kind == "nginx":
            return [needs.nginx(), "-e", str(self._home / "error.log"), "-p", str(self._home), "-c", str(self._config)]
        return [needs.caddy(), "run", "--config", str(self._config), "--adapter", "caddyfile"]


def nginx(home: pathlib.Path, studio: Studio, body: str, *, port: int, until: str = "/") -> Proxy:
    """nginx with the body of one server block, in which `{to}` is the broadcast service. Started; the caller stops it."""
    proxy = _configured("nginx", home, port, NGINX, _led(body, studio))
    proxy.start(until=until)
    return proxy


def start_nginx(home: pathlib.Path, body: str, *, http: str = "") -> Proxy:
    """nginx with the body of one server block and lines of the http block, once it accepts connections. The caller stops it."""
    proxy = _configured("nginx", home, free_port(), NGINX, body, http=http)
    proxy.launch_until(proxy.accepts_connections)
    return proxy


def caddy(home: pathlib.Path, studio: Studio, body: str, *, port: int, until: str = "/") -> Proxy:
    """Caddy with the body of one site, as above."""
    options = "{{\n admin off\n auto_https off\n}}\n"
    proxy = _configured("caddy", home, port, options + "http://127.0.0.1:{port} {{\n{body}\n}}\n", _led(body, studio))
    proxy.start(until=until)
    return proxy


def _led(body: str, studio: Studio) -> str:
    return body.replace("{to}", studio.broadcast.url.removeprefix("http://"))


def _configured(kind: str, home: pathlib.Path, port: int, template: str, body: str, *, http: str = "") -> Proxy:
    config = home / f"{kind}.conf"
    config.write_text(template.format(home=home, port=port, body=body, http=http))
    return Proxy(kind, home, port, config)
