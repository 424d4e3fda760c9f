"""nginx with a master, four workers and zones of shared memory.

nginx             every request on a keep-alive connection gets its own answer; the workers' common count of requests is
                  the clients'; what a limit_req zone has counted for a key before the dump counts after the restore,
                  for all workers together; each worker has a listening socket of its own (SO_REUSEPORT) with the
                  backlog it was given; at the end a reload starts new workers, which answer, and the old ones go
"""
import os
import signal
import urllib.error
import urllib.request

from frame import Failure, box, run, wait_for
from http_job import HttpServer

BURST = 100
WORKERS, BACKLOG = 4, 77
CONFIG = """
user www-data;
worker_processes {workers};
pid {dir}/nginx.pid;
error_log {dir}/error.log;
daemon off;
events {{ worker_connections 256; }}
http {{
	access_log {dir}/access.log;
	client_body_temp_path {dir}/tmp;
	proxy_temp_path {dir}/tmp;
	fastcgi_temp_path {dir}/tmp;
	uwsgi_temp_path {dir}/tmp;
	scgi_temp_path {dir}/tmp;
	limit_req_zone $arg_key zone=keys:1m rate=1r/m;
	server {{
		listen 127.0.0.1:{port} reuseport backlog={backlog};
		location /next {{ return 200 "$arg_client $arg_n"; }}
		location /limited {{ limit_req zone=keys burst={burst} nodelay; try_files /file =404; root {dir}; }}
		location /total {{ stub_status; }}
	}}
}}
"""


class Nginx(HttpServer):
    name = "nginx"
    packages = ("nginx-light",)
    pattern = r"requests\s+\d+ \d+ (\d+)"
    number = 0              # of the cycle
    others = 1              # the question for the count itself is counted

    def server(self):
        path = os.path.join(self.dir, "nginx.conf")
        with open(path, "w") as f:
            f.write(CONFIG.format(dir=self.dir, port=self.port, burst=BURST, workers=WORKERS, backlog=BACKLOG))
        with open(os.path.join(self.dir, "file"), "w") as f:
            f.write("limited\n")
        return "/usr/sbin/nginx", "-c", path

    def limited(self, times):
        """How many requests for this cycle's key are let through, of so many?"""
        passed = 0
        for _ in range(times):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/limited?key=key{self.number}") as answer:
                    passed += answer.read() == b"limited\n"
            except urllib.error.HTTPError as e:
                if e.code != 503:
                    raise Failure(f"limited: {e}") from None
        self.count_others(self.others + times)
        return passed

    def check_listening(self):
        """One socket for each worker, as deep as it was asked for."""
        found = run("ss", "-Hltn", f"sport = :{self.port}").split("\n")[:-1]
        if [line.split()[2] for line in found] != [str(BACKLOG)] * WORKERS:
            raise Failure(f"the listening sockets are {found}")

    def before_dump(self):
        self.check_listening()
        self.number += 1
        passed = self.limited(BURST // 2)
        if passed != BURST // 2:
            raise Failure(f"{passed} of {BURST // 2} requests passed")

    def after_restore(self):
        self.check_listening()
        # one is free, and one more becomes free in a minute
        passed, rest = self.limited(BURST), BURST - BURST // 2 + 1
        if not rest <= passed <= rest + 1:
            raise Failure(f"{passed} requests passed where {rest} were left: the zone is not what it was")

    def workers(self):
        return [pid for pid in box.tree(self.root) if box.read(f"/proc/{pid}/cmdline").startswith("nginx: worker")]

    def reload(self):
        """New workers, as after a change of the configuration."""
        open(os.path.join(self.dir, "reload"), "w").close()
        old = self.workers()
        master = int(box.read(os.path.join(self.dir, "nginx.pid")))
        os.kill(master, signal.SIGHUP)
        wait_for(lambda: len(set(self.workers()) - set(old)) == WORKERS, 30, "new workers")
        self.progress()
        wait_for(lambda: not set(self.workers()) & set(old), 30, "the old workers to end")

    def finish(self):
        self.reload()
        return super().finish()


JOBS = [Nginx]
