"""Every image, decoded and encoded again by Debian's crit, is the same file again.

    roundtrip.py [IMAGE_DIR...]

Without arguments it dumps a few programs of its own.  Pages files have no structure
and are left out.  Some things are ours alone, so crit can't know them; they are read
by the small parser here instead:

  - remap-fpath.img: entries of type SHMEM (3); crit's enumeration ends at 2
  - shmem-file-*.img: a kind of its own
  - mqueue.img, mqueue-data.img: POSIX message queues
  - sysv-shm.img, sysv-sem.img, sysv-msg.img: others, with mainline's ipc_shm_entry, ipc_sem_entry, ipc_msg_entry inside

Debian's crit is older than the format we write.  It silently drops fields that came
later; those, listed in NEWER, must be the only difference.  Entries of files whose type
it does not know are taken out first (NEWER_TYPES).
"""
import json
import os
import re
import struct
import sys
import tempfile

from pycriu import cli as crit      # Debian's: run this with /usr/bin/python3

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "jobs"))
import box
from box import Failure, wait_for

COMMON_MAGIC = 0x54564319
SHMEM = 3       # remap_type of a deleted file that is shared memory

# {kind: {path of field numbers: name}}: fields that crit 3.17 does not know
NEWER = {
    "INVENTORY": {(12,): "plugins_entry", (13,): "dump_criu_run_id", (14,): "allow_uprobes"},
    "CORE": {(3, 21): "tc.stop_signo", (3, 22): "tc.membarrier_registration_mask", (5, 16): "thread_core.cg_set",
             (5, 10, 18): "creds.no_new_privs", (5, 10, 19): "creds.cap_amb"},
    "PAGEMAP": {(5,): "nr_pages"},
    "MEMFD_INODE": {(9,): "mode", (1000,): "atim", (1001,): "mtim", (1002,): "xattrs"},
    "GHOST_FILE": {(1000,): "atim_nsec", (1001,): "mtim_nsec", (1002,): "xattrs"},
    "FILES": {(4, 20): "isk.tcp_opts", (4, 1000): "isk.options", (4, 1001): "isk.uid", (4, 1002): "isk.gid", (16, 1000): "usk.peer_creds", (16, 1003): "usk.waiting", (16, 1004): "usk.waiting_creds"},
    "SK_QUEUES": {(1000,): "creds", (1001,): "sender", (1002,): "inet"},
    "TTY_INFO": {(1000,): "closed", (1001,): "mode"},
    "TTY_DATA": {(1000,): "edited", (1001,): "lines", (1002,): "stopped"},
}
SYSV = "sysv-shm.img"
SYSV_OTHERS = ("sysv-sem.img", "sysv-msg.img")
MQUEUES = {"mqueue.img": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, "mqueue-data.img": {1, 2}}   # and their fields
RAW_LENGTH = {"SK_QUEUES": 2}    # field with the number of raw bytes behind an entry
REMAP_TYPE = 3  # field of remap_file_path_entry

# Types of files that crit 3.17 does not know, the last one ours, so that it can't encode their entries
NEWER_TYPES = {20: "pidfd", 1000: "mqueue"}
TYPE_FIELD = {"files": 1, "fdinfo": 3}  # where the images of files have the type


# --- the wire format of protobuf ----------------------------------------------------

def get_varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Failure("cut off within a number")
        byte = data[at]
        value |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if byte < 128:
            return value, at


def put_varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def fields(message):
    """(number, wire type, value) of each field; bytes for all but type 0."""
    at = 0
    while at < len(message):
        key, at = get_varint(message, at)
        wire = key & 7
        if wire == 0:
            value, at = get_varint(message, at)
        else:
            if wire == 2:
                size, at = get_varint(message, at)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
            else:
                raise Failure(f"wire type {wire}")
            value, at = message[at:at + size], at + size
            if at > len(message):
                raise Failure("a field ends beyond its message")
        yield key >> 3, wire, value


def encode_field(number, wire, value):
    key = put_varint(number << 3 | wire)
    if wire == 0:
        return key + put_varint(value)
    return key + (put_varint(len(value)) if wire == 2 else b"") + value


def strip(message, paths, dropped):
    """The message without the fields at the given paths; names of those go to dropped."""
    out = b""
    for number, wire, value in fields(message):
        if (number,) in paths:
            dropped.add(paths[(number,)])
            continue
        below = {path[1:]: name for path, name in paths.items() if len(path) > 1 and path[0] == number}
        if below and wire == 2:
            value = strip(value, below, dropped)
        out += encode_field(number, wire, value)
    return out


def entries(data, at=8, raw_field=None):
    """Messages of an image, which begin after two magics; raw_field says how many raw bytes follow each."""
    while at < len(data):
        if at + 4 > len(data):
            raise Failure("cut off within a length")
        size, = struct.unpack_from("<I", data, at)
        at += 4 + size
        if at > len(data):
            raise Failure("cut off within an entry")
        entry, raw = data[at - size:at], b""
        if raw_field:
            n = next(value for number, _, value in fields(entry) if number == raw_field)
            raw = data[at:at + n]
            at += n
        yield (entry, raw) if raw_field else entry


def rebuild(data, header, change, raw_field=None):
    """The image with every entry changed, or left out where the change is None."""
    out = data[:header]
    for entry in entries(data, header, raw_field):
        entry, raw = entry if raw_field else (entry, b"")
        entry = change(entry)
        if entry is None:
            continue
        out += struct.pack("<I", len(entry)) + entry + raw
    return out


# --- one image -------------------------------------------------------------------------

def read_bytes(path):
    with open(path, "rb") as f:
        return f.read()


def run_crit(*args):
    """What /usr/bin/crit does, less the start of an interpreter for each of many files."""
    sys.argv[1:] = args
    try:
        crit.main()
    except (Exception, SystemExit) as e:    # crit has no errors of its own: anything comes out
        raise Failure(f"crit {args[0]}: {type(e).__name__}: {e}") from None


def through_crit(path):
    """(kind, bytes) of the image after decode and encode."""
    with tempfile.TemporaryDirectory(dir=box.WORK) as tmp:
        text, again = f"{tmp}/text", f"{tmp}/image"
        run_crit("decode", "-i", path, "-o", text)
        run_crit("encode", "-i", text, "-o", again)
        with open(text) as f:
            kind = json.load(f)["magic"]
        return kind, read_bytes(again)


def without_shmem_type(entry):
    return b"".join(encode_field(*field) for field in fields(entry)
                    if not (field[0] == REMAP_TYPE and field[2] == SHMEM))


def without_newer_types(path, data, dropped):
    """The image without the entries of files that crit can't know."""
    field = TYPE_FIELD.get(re.match(r"[a-z]*", os.path.basename(path))[0])

    def keep(entry):
        kinds = [NEWER_TYPES[value] for number, _, value in fields(entry)
                 if number == field and value in NEWER_TYPES]
        dropped.update(kinds)
        return None if kinds else entry
    return rebuild(data, 8, keep) if field else data


def without_newer_of_ghost(data, dropped):
    """Of a ghost file the first entry only: behind it are bytes of the file, or entries for chunks of it."""
    size, = struct.unpack_from("<I", data, 8)
    entry = strip(data[12:12 + size], NEWER["GHOST_FILE"], dropped)
    return data[:8] + struct.pack("<I", len(entry)) + entry + data[12 + size:]


def check_image(path):
    """A note about what differs legitimately, or an empty text."""
    newer_types = set()
    data = without_newer_types(path, read_bytes(path), newer_types)
    with tempfile.NamedTemporaryFile(dir=box.WORK) as known:
        known.write(data)
        known.flush()
        kind, again = through_crit(known.name)
    if again == data:
        return f"newer than crit: {', '.join(newer_types)}" if newer_types else ""
    dropped = set()
    if kind == "REMAP_FPATH":
        want, note = rebuild(data, 8, without_shmem_type), "our remap type SHMEM"
    elif kind == "GHOST_FILE":
        want = without_newer_of_ghost(data, dropped)
        note = f"newer than crit: {', '.join(sorted(dropped))}"
    elif kind in NEWER:
        # the inventory has but one magic
        want = rebuild(data, 4 if kind == "INVENTORY" else 8, lambda e: strip(e, NEWER[kind], dropped),
                       RAW_LENGTH.get(kind))
        note = f"newer than crit: {', '.join(sorted(dropped))}"
    else:
        want, note = data, ""
    if again != want:
        at = next((i for i, (a, b) in enumerate(zip(again, want)) if a != b), min(len(again), len(want)))
        raise Failure(f"{kind}: {len(want)} bytes become {len(again)}, first difference at {at}")
    return note


# --- what only we know -------------------------------------------------------------------

def shmem_remaps(images):
    """Object numbers that remap-fpath.img names."""
    path = f"{images}/remap-fpath.img"
    if not os.path.exists(path):
        return set()
    remaps = [dict((number, value) for number, _, value in fields(entry)) for entry in entries(read_bytes(path))]
    return {remap[2] for remap in remaps if remap.get(REMAP_TYPE) == SHMEM}


def check_shmem_file(path):
    """Framing, one entry, and the fields that a restore can't do without."""
    data = read_bytes(path)
    if struct.unpack_from("<I", data)[0] != COMMON_MAGIC:
        raise Failure("wrong magic")
    messages = list(entries(data))
    if len(messages) != 1:
        raise Failure(f"{len(messages)} entries")
    found = {}
    for number, wire, value in fields(messages[0]):
        found.setdefault(number, []).append((wire, value))
    if messages[0] != b"".join(encode_field(*field) for field in fields(messages[0])):
        raise Failure("not in the shortest form")
    names = [value.decode() for _, value in found.get(1, [])]
    if not names or not all(name.startswith("/") for name in names):
        raise Failure(f"names {names}")
    for number, what in ((2, "file system"), (5, "size"), (6, "mode"), (7, "uid"), (8, "gid")):
        if [wire for wire, _ in found.get(number, [])] != [0]:
            raise Failure(f"no {what}")
    return f"{names[0]}, {found[5][0][1]} bytes"


def check_segment(message):
    """The object's number, and a note: field numbers are those of sysv_shm_entry, ipc_shm_entry and ipc_desc_entry."""
    if message != b"".join(encode_field(*field) for field in fields(message)):
        raise Failure("not in the shortest form")
    found = {number: value for number, _, value in fields(message)}
    shm = {number: value for number, _, value in fields(found[1])}
    desc = {number: value for number, _, value in fields(shm[1])}
    if set(desc) != set(range(1, 8)) or not shm[2] or shm[3] != 1 or not {2, 3, 4, 5, 6} <= set(found):
        raise Failure(f"fields {sorted(found)}, {sorted(shm)}, {sorted(desc)}")
    return found[2], f"segment {desc[7]}, {shm[2]} bytes, mode {desc[6]:o}"


def check_segments(images, tally, label):
    path = f"{images}/{SYSV}"
    if not os.path.exists(path):
        return
    try:
        data = read_bytes(path)
        if struct.unpack_from("<I", data)[0] != COMMON_MAGIC:
            raise Failure("wrong magic")
        for message in entries(data):
            number, note = check_segment(message)
            if not os.path.exists(f"{images}/pagemap-shmem-{number}.img"):
                raise Failure(f"no pagemap of number {number}")
            tally.ok(f"{label}/{SYSV}", note)
    except (Failure, struct.error, KeyError) as e:
        tally.fail(f"{label}/{SYSV}", f"{type(e).__name__}: {e}")


def check_sysv_others(images, tally, label):
    """Sets and queues: mainline's message, with its ipc_desc_entry, is in front."""
    for name in SYSV_OTHERS:
        if not os.path.exists(f"{images}/{name}"):
            continue
        try:
            data = read_bytes(f"{images}/{name}")
            if struct.unpack_from("<I", data)[0] != COMMON_MAGIC:
                raise Failure("wrong magic")
            for message in entries(data):
                if message != b"".join(encode_field(*field) for field in fields(message)):
                    raise Failure("not in the shortest form")
                found = {number: value for number, _, value in fields(message)}
                desc = dict((number, value) for number, _, value in fields(dict(
                    (number, value) for number, _, value in fields(found[1]))[1]))
                if set(desc) != set(range(1, 8)):
                    raise Failure(f"fields {sorted(found)}, {sorted(desc)}")
                tally.ok(f"{label}/{name}", f"id {desc[7]}, mode {desc[6]:o}")
        except (Failure, struct.error, KeyError) as e:
            tally.fail(f"{label}/{name}", f"{type(e).__name__}: {e}")


def check_mqueues(images, tally, label):
    for name, wanted in MQUEUES.items():
        if not os.path.exists(f"{images}/{name}"):
            continue
        try:
            data = read_bytes(f"{images}/{name}")
            if struct.unpack_from("<I", data)[0] != COMMON_MAGIC:
                raise Failure("wrong magic")
            for message in entries(data):
                if message != b"".join(encode_field(*field) for field in fields(message)):
                    raise Failure("not in the shortest form")
                found = {number: value for number, _, value in fields(message)}
                if set(found) != wanted:
                    raise Failure(f"fields {sorted(found)}")
                tally.ok(f"{label}/{name}", f"queue {found[1]}")
        except (Failure, struct.error, KeyError) as e:
            tally.fail(f"{label}/{name}", f"{type(e).__name__}: {e}")


def check_own_formats(images, tally, label):
    check_mqueues(images, tally, label)
    check_segments(images, tally, label)
    check_sysv_others(images, tally, label)
    named = shmem_remaps(images)
    there = {int(m[1]) for m in map(re.compile(r"shmem-file-(\d+)\.img$").match, os.listdir(images)) if m}
    if named != there:
        tally.fail(f"{label}: objects", f"remap-fpath.img names {sorted(named)}, files are {sorted(there)}")
    for number in sorted(there):
        name = f"shmem-file-{number}.img"
        try:
            note = check_shmem_file(f"{images}/{name}")
            if not os.path.exists(f"{images}/pagemap-shmem-{number}.img"):
                raise Failure("no pagemap of that number")
            tally.ok(f"{label}/{name}", note)
        except (Failure, struct.error, UnicodeDecodeError) as e:
            tally.fail(f"{label}/{name}", str(e))


# --- directories ---------------------------------------------------------------------------

def is_image(name):
    if name.startswith(("pages-", "shmem-file-")) or name == SYSV or name in SYSV_OTHERS or name in MQUEUES:
        return False
    return name.endswith(".img") or name in ("stats-dump", "stats-restore")


def check_directory(images, tally, label):
    names = sorted(filter(is_image, os.listdir(images)))
    if not names:
        tally.fail(label, f"no image in {images}")
    for name in names:
        try:
            tally.ok(f"{label}/{name}", check_image(os.path.join(images, name)))
        except Failure as e:
            tally.fail(f"{label}/{name}", str(e))
    check_own_formats(images, tally, label)


def programs():
    """{name: (command, text that its output or log holds when it is ready)}"""
    here = box.fresh_dir("crit", "programs")
    os.mkdir(f"{here}/zoo")
    return here, {
        "zoo": ([box.build(f"{HERE}/zoo.c"), f"{here}/zoo"], "ready"),
        "ring": ([box.build(f"{HERE}/../jobs/shmring.c"), "-l", f"{here}/ring.out", "-m", "4"], "\n20 "),
        "python": (["/usr/bin/python3", f"{HERE}/../jobs/pyqueue.py", f"{here}/python.out"], "\n20\n"),
    }


def dump_program(here, name, argv, ready, again):
    """Image directories of a running program; again: dump it once more when it was restored."""
    root = box.start(argv, f"{here}/{name}.out", cwd="/")
    wait_for(lambda: ready in box.read(f"{here}/{name}.out"), 30, f"{name} to be ready")
    pids = box.tree(root)
    first, second = (box.fresh_dir("crit", f"{name}-{i}") for i in (1, 2))
    try:
        box.dump(root, first, "--file-locks")
        if again:
            box.gone(pids)
            box.restore(first, "--file-locks")
            box.dump(root, second, "--file-locks")
    finally:
        box.kill_all([p for p in pids if box.alive(p)])
    return (first, second) if again else (first,)


def main():
    box.enter()
    os.makedirs(box.WORK, exist_ok=True)
    tally = box.Tally()
    directories = sys.argv[1:]      # a copy: crit gets its arguments there, too
    for images in directories:
        check_directory(images, tally, os.path.basename(os.path.normpath(images)))
    if not directories:
        here, wanted = programs()
        for name, (argv, ready) in wanted.items():
            try:
                for images in dump_program(here, name, argv, ready, name == "zoo"):
                    check_directory(images, tally, os.path.basename(images))
            except Failure as e:
                tally.fail(name, str(e))
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
