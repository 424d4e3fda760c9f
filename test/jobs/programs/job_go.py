"""A program of Go's runtime: Caddy, linked statically but for two C libraries.

caddy             every request on a keep-alive connection gets its own answer, and Caddy's count of requests is the
                  clients'
"""
import os

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


JOBS = [Caddy]
