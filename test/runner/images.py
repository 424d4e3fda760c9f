"""What the runner checks of an images directory: the pages that stats-dump counts."""

import glob
import os
import struct

from runner.descriptions import Failed

IMG_SERVICE_MAGIC = 0x55105940
STATS_MAGIC = 0x57093306
STATS_DUMP = 1
PAGES_WRITTEN = 7
SHPAGES_WRITTEN = 14


def protobuf_fields(data):
    """(number, value) of every field of one protobuf message."""
    pos = 0

    def varint():
        nonlocal pos
        value = shift = 0
        while True:
            byte = data[pos]
            pos += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while pos < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value = data[pos:pos + size]
            pos += size
        elif kind == 2:
            size = varint()
            value = data[pos:pos + size]
            pos += size
        else:
            raise Failed(f'stats-dump: bad wire type {kind}')
        yield key >> 3, value


def check_stats(imgdir):
    path = os.path.join(imgdir, 'stats-dump')
    if not os.access(path, os.R_OK):
        return
    with open(path, 'rb') as f:
        data = f.read()
    if len(data) < 12:
        raise Failed('stats-dump: too short')
    first, second, size = struct.unpack('<III', data[:12])
    if (first, second) != (IMG_SERVICE_MAGIC, STATS_MAGIC) or len(data) != 12 + size:
        raise Failed('stats-dump: bad header')
    entry = dict(protobuf_fields(dict(protobuf_fields(data[12:]))[STATS_DUMP]))
    counted = entry.get(PAGES_WRITTEN, 0) + entry.get(SHPAGES_WRITTEN, 0)
    written = sum(os.path.getsize(p) for p in glob.glob(os.path.join(imgdir, 'pages-*')))
    page = os.sysconf('SC_PAGESIZE')
    if written % page:
        raise Failed(f'pages-*.img: {written} bytes are no whole number of pages')
    if counted != written // page:
        raise Failed(f'stats-dump counts {counted} pages, the images have {written // page}')
