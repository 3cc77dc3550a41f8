"""nginx with nchan on a free loopback port, spoken to as our own server of load is."""

import http.client
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.load.crowd import Entrance
from bench.load.server import caption
from bench.load.systems import Setting
from parola.transcribe_api.serving import Certificate
from parola.wire.messages import entry_message
from tests.servers import free_port

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
"""Where Debian's libnginx-mod-nchan puts it."""

CONFIG = """
load_module {module};
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/log crit;
events {{ worker_connections 20000; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  server {{
    listen 127.0.0.1:{port} backlog=4096 {tls};
    location ~ ^/sub/(\\w+)$ {{
      nchan_subscriber websocket eventsource; nchan_channel_id $1;
      nchan_subscriber_first_message newest;
    }}
  }}
  server {{
    listen 127.0.0.2:{port};
    location ~ ^/pub/(\\w+)$ {{
      nchan_publisher; nchan_channel_id $1; nchan_message_buffer_length 5;
    }}
  }}
}}
"""


class Nchan:
    """An nginx that runs."""

    def __init__(self, port: int, process: psutil.Process, setting: Setting) -> None:
        tls = setting.certificate is not None
        self.entrance = Entrance(port, "/sub/r%d", setting.medium, tls)
        self.process = process
        self._rooms = setting.rooms
        self._number = 0

    def say(self, rate_hz: float, seconds: float) -> int:
        """Publish into every room, the rooms one after the other; return how often each."""
        connection = http.client.HTTPConnection("127.0.0.2", self.entrance.port)
        began_s = time.monotonic()
        count = int(rate_hz * seconds)
        for said in range(count * self._rooms):
            time.sleep(max(0.0, began_s + said / (rate_hz * self._rooms) - time.monotonic()))
            self._number += 1
            body = entry_message(caption(said % self._rooms, self._number)).encode()
            connection.request("POST", f"/pub/r{said % self._rooms}", body)
            connection.getresponse().read()
        connection.close()
        return count


@contextmanager
def nchan(setting: Setting) -> Iterator[Nchan]:
    """Run nginx with nchan in a folder of its own."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nginx.conf"
        tls = _tls(setting.certificate)
        file.write_text(CONFIG.format(module=MODULE, folder=folder, port=port, tls=tls))
        command = ["/usr/sbin/nginx", "-p", folder, "-c", str(file)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                _until_it_listens(port)
                yield Nchan(port, psutil.Process(process.pid), setting)
            finally:
                process.terminate()


def _tls(certificate: Certificate | None) -> str:
    """Return the end of a `listen` and what TLS takes; captions are handed over without it."""
    if certificate is None:
        return ""
    chain, key = certificate.chain, certificate.key
    return f"ssl; ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols TLSv1.3"


def _until_it_listens(port: int) -> None:
    for _ in range(100):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.connect()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    raise RuntimeError("nginx does not listen")
