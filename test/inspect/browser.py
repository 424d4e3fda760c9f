"""Chromium without a screen: where it puts what is on a page, and a picture of it."""
import collections
import html
import json
import re
import struct
import subprocess
import zlib

from common import Failure, box

# Appended to a copy of the page. Places are pixels of the window; `points` lie along a line.
MEASURE = """
const place = (e, more) => {
    const r = e.getBoundingClientRect();
    return {x: r.x, y: r.y, w: r.width, h: r.height, ...more};
};
const all = (which) => [...document.querySelectorAll(which)];
const points = (path) => [...Array(41).keys()].map((i) => {
    const p = path.getPointAtLength(path.getTotalLength() * i / 40).matrixTransform(path.getScreenCTM());
    return [p.x, p.y];
});
const word = (e) => {
    const range = document.createRange();
    range.selectNodeContents(e);
    return place(range, {text: e.textContent});
};
const seen = {
    width: innerWidth, scroll: document.documentElement.scrollWidth,
    svg: place(document.querySelector("svg")),
    rects: all("svg rect").map((e) => place(e, {name: e.getAttribute("class")})),
    texts: all("svg text").map((e) => place(e, {text: e.textContent})),
    words: all("h1, h2, .legend span").map(word),
    paths: all("svg path").map((e) => ({points: points(e)})),
    cells: all("td, th, li").map((e) => ({need: e.scrollWidth, have: e.clientWidth, text: e.textContent.slice(0, 99)})),
};
const out = document.createElement("pre");
out.id = "measured";
out.textContent = JSON.stringify(seen);
document.body.append(out);
"""


class Browser:
    """One program; its files go into a directory."""

    def __init__(self, program, directory):
        self.argv = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                     f"--user-data-dir={directory}/profile"]
        self.dir = directory

    def run(self, path, window, *words):
        done = subprocess.run([*self.argv, f"--window-size={window[0]},{window[1]}", *words, f"file://{path}"], check=True,
                              timeout=120 * box.PATIENCE, stdin=subprocess.DEVNULL, capture_output=True)
        return done.stdout

    def measure(self, path, window):
        """Where everything is.  The page itself allows no script, so this is a copy that does."""
        with open(path, encoding="utf-8") as f:
            text, n = re.subn(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "", f.read())
        if n != 1:
            raise Failure(f"{n} policies in the page")
        copy = f"{self.dir}/measure.html"
        with open(copy, "w", encoding="utf-8") as f:
            f.write(text.replace("</body>", f"<script>{MEASURE}</script></body>"))
        found = re.search(r"<pre id=\"measured\">(.*?)</pre>", self.run(copy, window, "--dump-dom").decode(), re.S)
        if not found:
            raise Failure("the page was not laid out")
        return json.loads(html.unescape(found[1]))

    def shoot(self, path, shot, window):
        self.run(path, window, f"--screenshot={shot}")


def paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


class Picture:
    """A PNG as browsers write it: 8 bits a colour, RGB or RGBA, not interlaced."""

    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        if not data.startswith(b"\x89PNG\r\n\x1a\n"):
            raise Failure(f"{path} is no PNG")
        packed, at = b"", 8
        while at < len(data):
            size, kind = struct.unpack(">I4s", data[at:at + 8])
            body = data[at + 8:at + 8 + size]
            if kind == b"IHDR":
                self.width, self.height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            elif kind == b"IDAT":
                packed += body
            at += size + 12
        if depth != 8 or colours not in (2, 6) or interlaced:
            raise Failure(f"a PNG of depth {depth}, type {colours}, interlaced {interlaced}")
        self.step = 3 if colours == 2 else 4
        self.rows = self.unfilter(zlib.decompress(packed))

    def unfilter(self, data):
        """RFC 2083, section 6."""
        step, size = self.step, self.width * self.step
        rows, above = [], bytes(size)
        for start in range(0, self.height * (size + 1), size + 1):
            how, row = data[start], bytearray(data[start + 1:start + 1 + size])
            if how == 1:
                for i in range(step, size):
                    row[i] = (row[i] + row[i - step]) & 255
            elif how == 2:
                row = bytearray((a + b) & 255 for a, b in zip(row, above))
            elif how:
                for i in range(size):
                    left, corner = (row[i - step], above[i - step]) if i >= step else (0, 0)
                    guess = (left + above[i]) // 2 if how == 3 else paeth(left, above[i], corner)
                    row[i] = (row[i] + guess) & 255
            rows.append(row)
            above = row
        return rows

    def at(self, x, y):
        """(red, green, blue) at a place."""
        x, y = round(x), round(y)
        return tuple(self.rows[y][x * self.step:x * self.step + 3])

    def commonest(self):
        """(share of the commonest colour, number of colours)."""
        n = collections.Counter(bytes(row[i:i + 3]) for row in self.rows for i in range(0, len(row), self.step))
        return n.most_common(1)[0][1] / n.total(), len(n)
