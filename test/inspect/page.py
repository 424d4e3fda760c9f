"""The page of criu inspect: whole, safe, and to be read in a browser."""
import html.parser
import os
import re
import shutil
import stat
import subprocess
import xml.dom.minidom

from browser import Browser, Picture
from common import Failure, Sharer, check, inspect


class Links(html.parser.HTMLParser):
    """Everything that would be loaded from elsewhere, or run."""

    def __init__(self):
        super().__init__()
        self.bad = []
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in ("script", "link", "img", "iframe", "object", "embed", "base", "image", "use", "b"):
            self.bad.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "data") or name.startswith("on"):
                self.bad.append(f"{tag} {name}={value}")


def check_page(path):
    mode = os.lstat(path).st_mode
    check(stat.S_IMODE(mode) == 0o600, f"mode {mode:o}")
    xml.dom.minidom.parse(path)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    links = Links()
    links.feed(text)
    check(not links.bad, f"not alone: {links.bad}")
    check("svg" in links.tags and "table" in links.tags, "no picture")
    check(not re.search(r"url\(|@import|https?://(?!www\.w3\.org/(1999/xhtml|2000/svg)\")", text), "a reference")
    return text, links


def test_html():
    """Well-formed, without anything from elsewhere, every text escaped; one box a process, or one for many."""
    notes = []
    for procs in (2, 200):
        with Sharer(f"html{procs}", "--procs", str(procs), "--outsider") as job:
            page = os.path.join(job.dir, "page.html")
            inspect("-t", str(job.root), "--html", page, status=1)
            text, _ = check_page(page)
            check("&#60;b&#62;&#38;&#34;&#39;" in text and "<b>" not in text, "the name is not escaped")
            boxes, outside = (len(re.findall(f'<rect class="{x}"', text)) for x in ("task", "out"))
            check(boxes == procs if procs < 20 else boxes <= 3, f"{boxes} boxes for {procs} processes")
            check(outside == 1, f"{outside} boxes for one outsider")
            os.unlink(page)
            os.symlink("elsewhere", page)
            inspect("-t", str(job.root), "--html", page, status=1)
            check(not os.path.exists(f"{job.dir}/elsewhere"), "it wrote through a symbolic link")
            notes.append(f"{procs} processes: {boxes} boxes, {len(text) >> 10} KiB")
    return "; ".join(notes)


# --- in a browser -----------------------------------------------------------------------

def inside(small, big, slack=1.5):
    return (small["x"] >= big["x"] - slack and small["x"] + small["w"] <= big["x"] + big["w"] + slack and
            small["y"] >= big["y"] - slack and small["y"] + small["h"] <= big["y"] + big["h"] + slack)


def overlap(a, b):
    return (min(a["x"] + a["w"], b["x"] + b["w"]) - max(a["x"], b["x"]) > 1 and
            min(a["y"] + a["h"], b["y"] + b["h"]) - max(a["y"], b["y"]) > 1)


def check_apart(things, what):
    """No two of them lie on each other."""
    things = sorted(things, key=lambda t: t["y"])
    for i, one in enumerate(things):
        for other in things[i + 1:]:
            if other["y"] > one["y"] + one["h"]:
                break
            check(not overlap(one, other), f"{what} {one} lies on {other}")


def check_layout(seen):
    """Everything is in the window, whole and large enough to read; lines end where they should."""
    check(seen["scroll"] <= seen["width"], f"{seen['scroll']} wide in a window of {seen['width']}")
    check(seen["texts"] and seen["rects"] and seen["paths"], f"drawn: {[len(seen[k]) for k in ('texts', 'rects')]}")
    tasks, items = ([r for r in seen["rects"] if bool(r["name"]) == left] for left in (True, False))
    for rect in seen["rects"]:
        check(inside(rect, seen["svg"]) and rect["w"] > 100, f"box {rect} is not in the picture {seen['svg']}")
        check(sum(inside(t, rect) for t in seen["texts"]) == 2, f"box {rect} has not its two lines of text")
    check(len(seen["texts"]) == 2 * len(seen["rects"]), f"{len(seen['texts'])} texts in {len(seen['rects'])} boxes")
    for text in seen["texts"]:
        check(text["h"] >= 10 and text["w"] > 4, f"too small to read: {text}")
    check_apart(seen["texts"], "text")
    check_apart(seen["rects"], "box")
    for path in seen["paths"]:
        (x0, y0), *_, (x1, y1) = path["points"]
        check(any(abs(x0 - r["x"] - r["w"]) < 2 and r["y"] < y0 < r["y"] + r["h"] for r in tasks) and
              any(abs(x1 - r["x"]) < 2 and r["y"] < y1 < r["y"] + r["h"] for r in items), f"a line of nobody: {path}")
    for cell in seen["cells"]:
        check(cell["need"] <= cell["have"] + 1, f"cut off in the table: {cell}")


def contrast(a, b):
    return max(abs(x - y) for x, y in zip(a, b))


def check_picture(picture, seen):
    """What has a place in the window is really to be seen there."""
    check(picture.width == seen["width"], f"a picture {picture.width} wide of a window {seen['width']} wide")
    window = {"x": 0, "y": 0, "w": picture.width - 2, "h": picture.height - 2}
    ground = picture.at(2, 2)
    for rect in [r for r in seen["rects"] if inside(r, window, 0)]:
        middle = [picture.at(rect["x"] + d, rect["y"] + rect["h"] / 2) for d in (-1, 0, 1)]
        dashed = [picture.at(rect["x"] + x, rect["y"]) for x in range(6, int(rect["w"]) - 6)]
        check(any(contrast(ground, p) > 20 for p in middle + dashed), f"box {rect} has no border")
    for text in [t for t in seen["texts"] + seen["words"] if inside(t, window, 0)]:
        dots = [picture.at(text["x"] + x, text["y"] + y) for x in range(int(text["w"])) for y in range(int(text["h"]))]
        ink = sum(contrast(dots[0], p) > 70 for p in dots) / len(dots)
        check(0.02 < ink < 0.7, f"{ink:.1%} ink where a text should be: {text}")
    for path in seen["paths"]:
        near = [[picture.at(x, y + d) for d in (-1, 0, 1)] for x, y in path["points"][1:-1] if x < window["w"]]
        drawn = sum(any(contrast(ground, p) > 20 for p in dots) for dots in near)
        check(drawn > len(near) * 0.35, f"{drawn} of {len(near)} dots of line {path}")
    share, colours = picture.commonest()
    check(share < 0.97 and colours > 50, f"{share:.1%} is one of {colours} colours")


def show(job, browser, boxes, window):
    """One page: its layout, and, if the window is as high as a screen, what is to be seen."""
    page, shot = (os.path.join(job.dir, x) for x in ("page.html", "shot.png"))
    inspect("-t", str(job.root), "--html", page)
    seen = browser.measure(page, window)
    check_layout(seen)
    found = sum(r["name"] == "task" for r in seen["rects"])
    check(found == boxes, f"{found} boxes of processes, not {boxes}")
    # only the picture and what is above it
    high = int(seen["svg"]["y"] + seen["svg"]["h"] + 20)
    if high > 2000:
        return f"{boxes} boxes, {len(seen['paths'])} lines, {high} high"
    browser.shoot(page, shot, (window[0], high))
    picture = Picture(shot)
    check(picture.height == high, f"{picture.height} high, not {high}")
    check_picture(picture, seen)
    return f"{boxes} boxes, {len(seen['paths'])} lines, {os.path.getsize(shot) >> 10} KiB"


# In the narrow window one has to move the picture to see all of it, and not the page.
# words for the program, boxes of processes in the tree, window; in the crowd, the root has what the last one has
SHOWN = {
    "2": (["--procs", "2", "--outsider"], 2, (1200, 1600)),
    "200": (["--procs", "200", "--outsider"], 1, (1200, 1600)),
    "crowd": (["--procs", "60", "--outsider", "--crowd"], 59, (1200, 1600)),
    "narrow": (["--procs", "2", "--outsider", "--crowd"], 2, (600, 1600)),
}


def test_screenshot(tally):
    """A browser shows it, and it can be read: few processes, many alike, many that differ, with the widest names."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-headless-shell", "google-chrome"))), None)
    if not program:
        tally.skip("screenshot", "no chromium")
        return
    for name, (words, boxes, window) in SHOWN.items():
        try:
            with Sharer(f"screenshot-{name}", *words) as job:
                tally.ok(f"screenshot {name}", show(job, Browser(program, job.dir), boxes, window))
        except (Failure, OSError, ValueError, KeyError, subprocess.SubprocessError) as e:
            tally.fail(f"screenshot {name}", f"{type(e).__name__}: {e}")
