"""nchan, the publish-subscribe module of nginx, as a peer: where it is installed, its configuration and its version."""

import pathlib
import re
import shutil
import subprocess
from typing import Final, NamedTuple

MODULE: Final = "ngx_nchan_module.so"
MODULE_DIRECTORIES: Final = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules", "/usr/local/nginx/modules")
MISSING: Final = "nchan is not measured: nginx or its nchan module was not found (on Debian: apt-get install nginx libnginx-mod-nchan)."
# A channel keeps its latest message, as a room keeps its latest value; the channel of the wall keeps enough for a client that is behind.
CONFIGURATION: Final = """\
load_module {module};
worker_processes 1;
worker_rlimit_nofile {descriptors};
daemon off;
user root;
pid {directory}/nginx.pid;
error_log {directory}/error.log error;
events {{ worker_connections {descriptors}; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  nchan_shared_memory_size 256M;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /wall {{
      nchan_subscriber websocket;
      nchan_channel_id wall;
      nchan_subscriber_first_message newest;
      nchan_websocket_ping_interval 25;
    }}
    location = /post/wall {{
      nchan_publisher;
      nchan_channel_id wall;
      nchan_message_buffer_length 100;
      nchan_message_timeout 1m;
    }}
    location ~ ^/post/(room-.+)$ {{
      nchan_publisher;
      nchan_channel_id $1;
      nchan_message_buffer_length 1;
      nchan_message_timeout 1h;
    }}
  }}
}}
"""


class Found(NamedTuple):
    """The program, its module and both versions."""

    program: pathlib.Path
    module: pathlib.Path
    version: str


def configuration(found: Found, directory: pathlib.Path, port: int, descriptors: int) -> str:
    """The text of nginx.conf: one worker, messages in memory, no access log."""
    return CONFIGURATION.format(module=found.module, directory=directory, port=port, descriptors=descriptors)


def find() -> Found | None:
    """Where nginx and its nchan module are; None if either is missing."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin")
    modules = [path for directory in MODULE_DIRECTORIES if (path := pathlib.Path(directory, MODULE)).exists()]
    if program is None or not modules:
        return None
    asked = subprocess.run([program, "-v"], capture_output=True, text=True, check=False)
    return Found(pathlib.Path(program), modules[0], versions(asked.stderr + asked.stdout, _package()))


def versions(nginx_output: str, package: str) -> str:
    """What a report calls them, from the output of `nginx -v` and the version of the module's package, `` where that is unknown."""
    nginx = re.search(r"nginx/([\d.]+)", nginx_output)
    nchan = re.match(r"(?:\d+:)?([\d.]+)", package)
    return f"nchan {nchan[1] if nchan else '(version unknown)'} in nginx {nginx[1] if nginx else '(version unknown)'}"


def _package() -> str:
    if shutil.which("dpkg-query") is None:
        return ""
    command = ["dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run: nginx' worker is one of its master."""
    listed = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(number) for number in listed.split()]
