"""Starts Chromium without a window and talks with a page in it; every answer is checked; see job_chromium.py.

    browser.py LOG STOP DIR CHROMIUM...

Chromium's crash handler leaves its parent, so this process adopts what is orphaned below it, as the init of a
container would.  LOG gets one line for each step.  When STOP exists, Chromium is told to close.
"""
import base64
import ctypes
import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
PATIENCE = float(os.environ.get("TEST_PATIENCE", "1"))
PAGE = """<!doctype html><title>0</title><canvas id=c width=64 height=64></canvas>
<script>
let last = -1, ticks = 0, worker = new Worker(URL.createObjectURL(new Blob(["onmessage = e => postMessage(e.data * 2)"])));
setInterval(() => document.title = ++ticks, 20);
/* By way of a worker, a frame of the animation, the canvas and the storage on disk. */
async function next(n) {
	if (n !== last + 1)
		return `${n} after ${last}`;
	last = n;
	const double = await new Promise(done => { worker.onmessage = e => done(e.data); worker.postMessage(n); });
	const ctx = document.getElementById("c").getContext("2d", { willReadFrequently: true });
	ctx.fillStyle = `rgb(${n % 256}, 0, 255)`;
	ctx.fillRect(0, 0, 64, 64);
	localStorage.setItem("n", n);
	return [double, ctx.getImageData(5, 5, 1, 1).data[0], localStorage.getItem("n")].join(" ");
}
</script>"""


class Page:
    """A page's end of the DevTools protocol: JSON in the frames of a web socket."""

    def __init__(self, url):
        address, path = url.removeprefix("ws://").split("/", 1)
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=100)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /{path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.file = self.socket.makefile("rb")
        if b" 101 " not in self.file.readline():
            raise ValueError("no web socket")
        while self.file.readline() != b"\r\n":
            pass
        self.number = 0

    def send(self, text):
        """One frame, masked with zeros; none is longer than 64 KiB."""
        data = text.encode()
        length = struct.pack("!BH", 0x80 | 126, len(data)) if len(data) > 125 else struct.pack("!B", 0x80 | len(data))
        self.socket.sendall(b"\x81" + length + bytes(4) + data)

    def receive(self):
        head = self.file.read(2)
        if len(head) < 2:
            raise ValueError("the connection ended")
        length = head[1] & 127
        if length > 125:
            length = struct.unpack("!H" if length == 126 else "!Q", self.file.read(2 if length == 126 else 8))[0]
        return json.loads(self.file.read(length))

    def call(self, method, **params):
        self.number += 1
        self.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                return answer["result"]

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression, awaitPromise=True)["result"].get("value")


def find_page(place):
    """The first page of the browser, which writes the port it has chosen into its profile."""
    for _ in range(int(600 * PATIENCE)):
        try:
            with open(os.path.join(place, "profile", "DevToolsActivePort")) as f:
                connection = http.client.HTTPConnection("127.0.0.1", int(f.readline()), timeout=30)
            connection.request("GET", "/json")
            pages = [p for p in json.load(connection.getresponse()) if p["url"].endswith("/page.html")]
            if pages:
                return Page(pages[0]["webSocketDebuggerUrl"])
        except (OSError, ValueError):
            pass
        time.sleep(0.1)
    raise TimeoutError("the browser does not answer")


def work(page, log, stop):
    step = ticks = 0
    while page.evaluate("document.readyState") != "complete" or page.evaluate("typeof next") != "function":
        time.sleep(0.1)
    while not os.path.exists(stop):
        got, now = page.evaluate(f"next({step})"), int(page.evaluate("document.title"))
        if got != f"{2 * step} {step % 256} {step}" or now < ticks:
            raise ValueError(f"step {step}: {got}, {now} ticks after {ticks}")
        ticks = now
        os.write(log, f"{step}\n".encode())
        step += 1
        time.sleep(0.002)
    if not ticks:
        raise ValueError("no timer has fired")
    page.call("Browser.close")
    return step


def main():
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    stop, place = sys.argv[2:4]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with open(os.path.join(place, "page.html"), "w") as f:
        f.write(PAGE)
    browser = subprocess.Popen([*sys.argv[4:], f"--user-data-dir={place}/profile", f"file://{place}/page.html"])
    try:
        steps = work(find_page(place), log, stop)
        last = f"PASS {steps} steps, the browser ended with {browser.wait(60)}"
    except Exception as e:
        last = f"WRONG {e!r}"
    os.write(log, f"{last}\n".encode())


if __name__ == "__main__":
    main()
