"""OpenJDK.

java              the JDK's HTTP server with a pool of threads, a timer and work for the garbage collector: it refuses a
                  request that is not the next of its client, and at the end its count and the clients' agree
"""
import os

from frame import HERE, run
from http_job import HttpServer


class Java(HttpServer):
    name = "java"
    packages = ("openjdk-17-jre-headless", "ecj")
    seconds = 90

    def begin(self):
        run("ecj", "-17", "-proc:none", "-d", self.dir, os.path.join(HERE, "Counter.java"))
        super().begin()

    def server(self):
        return "java", "-cp", self.dir, "Counter", str(self.port)


JOBS = [Java]
