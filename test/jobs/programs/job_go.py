"""Programs of Go's runtime: Caddy, linked statically but for two C libraries, and gojq, which is linked statically.

caddy             every request on a keep-alive connection gets its own answer, and Caddy's count of requests is the
                  clients'
gojq              the same lines as for ripgrep, the same answers
"""
import os

from frame import HERE, PYTHON, Failure, Logged
from http_job import HttpServer

CONFIG = """{{
	admin off
	auto_https off
	servers {{
		metrics
	}}
}}
http://127.0.0.1:{port} {{
	route {{
		metrics /total
		respond "{{query.client}} {{query.n}}"
	}}
}}
"""


class Caddy(HttpServer):
    name = "caddy"
    packages = ("caddy",)
    total, pattern = "/total", r'http_request_duration_seconds_count\{code="200",handler="subroute"[^}]*\} (\d+)'

    def server(self):
        path = os.path.join(self.dir, "Caddyfile")
        with open(path, "w") as f:
            f.write(CONFIG.format(port=self.port))
        return "caddy", "run", "--config", path, "--adapter", "caddyfile"


class Gojq(Logged):
    name = "gojq"
    packages = ("gojq",)

    def start(self):
        with open("/usr/bin/gojq", "rb") as f:
            if b"/ld-linux" in f.read(4096):
                raise Failure("gojq is not linked statically")
        return self.spawn(PYTHON, os.path.join(HERE, "filter.py"), self.log, os.path.join(self.dir, "stop"), "gojq", "-rR",
                          r'select(test(" even ")) | "\((split(" ")[1] | tonumber) + 1):\(.)"')


JOBS = [Caddy, Gojq]
