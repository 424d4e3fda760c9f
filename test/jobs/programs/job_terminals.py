"""Programs that live in terminals.

bash-terminal     an interactive bash in a pty whose master is held by a small terminal program: variables, functions
                  and history are kept; the stopped job of each dump is still stopped and comes to the front, the
                  one in the background works; a new window size arrives, ^C ends what is in front, a half-typed
                  line is finished afterwards; nobody is sent a signal by restore, and a dump with --leave-running
                  loses and repeats nothing of what waits in the pty
bash-script       script(1) with an interactive bash: each line that is typed runs once, and the typescript has all of it
tmux-vim          a detached tmux server with a vim and a shell: vim goes on writing its file line by line, undo
                  reaches back beyond all dumps, a client that attaches after restore sees the screen as it was, and its size arrives in vim
shell-job         a program in the foreground of an interactive shell, and the same one stopped: refused without --shell-job;
                  restored by typing it into that shell, or into one in another window, it counts on where it was,
                  in the foreground of that window, and gets its size and its ^C
"""
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from frame import HERE, PYTHON, Failure, Program, box, run, size_bytes, wait_for

BASH = ["bash", "--norc", "--noprofile", "-i"]


class Typed(Program):
    """Somebody types, and reads what is shown."""

    def __init__(self):
        super().__init__()
        self.keys = os.path.join(self.dir, "keys")
        self.screen = os.path.join(self.dir, "screen")
        self.env.update(PS1="$ ", TERM="dumb", HISTFILE=os.path.join(self.tmp, "history"))
        self.at = self.count = 0
        os.mkfifo(self.keys)

    def send(self, data):
        fd = os.open(self.keys, os.O_WRONLY)
        os.write(fd, data)
        os.close(fd)

    def expect(self, pattern):
        """Wait until the screen shows the pattern, behind what was found before."""
        def found():
            text = box.read(self.screen)[self.at:]
            return re.search(pattern, text)

        try:
            match = wait_for(found, 30, f"{pattern!r} on the screen")
        except Failure as e:
            raise Failure(f"{e}; it shows {box.read(self.screen)[self.at:][-400:]!r}") from None
        self.at += match.end()
        return match

    def progress(self, more=5):
        for _ in range(more):
            self.count += 1
            # what is echoed does not match what is looked for
            self.line(f"n=$((n+1)); echo 'ste''p' $n of $$")
            number, shell = self.expect(r"\nstep (\d+) of (\d+)\s").groups()
            if int(number) != self.count:
                raise Failure(f"step {number} instead of {self.count}")
            if int(shell) != self.shell():
                raise Failure(f"shell {shell} instead of {self.shell()}")

    def line(self, text):
        self.type(text + "\n")


class Terminal(Typed):
    name = "bash-terminal"
    packages = ("bash",)

    def start(self):
        self.sent = 0
        return self.spawn(PYTHON, os.path.join(HERE, "terminal.py"), self.keys, self.screen, *BASH)

    def begin(self):
        super().begin()
        self.line("trap 'echo resi''zed' WINCH; for s in HUP TERM CONT TTOU; do trap \"echo sig''nal $s\" $s; done")
        self.line("count() { local i; for i in 1 2 3; do echo count $1$i; done; }")
        self.rows = 24

    def shell(self):
        return box.tree(self.root)[1]

    def do(self, *what):
        self.send(json.dumps(what).encode() + b"\n")
        self.sent += 1
        wait_for(lambda: len(box.read(self.screen + ".acks").splitlines()) == self.sent, 30, f"{what} to be done")

    def type(self, text):
        self.do("type", text)

    def state(self, name):
        return [re.search(r"State:\s*(\S)", box.read(f"/proc/{pid}/status"))[1]
                for pid, comm in self.members().items() if comm == name]

    def before_dump(self):
        self.leave_running()
        self.line("sleep 1000 & echo 'beh''ind'")
        self.expect("\nbehind")
        self.line("sleep 2000")
        wait_for(lambda: len(self.state("sleep")) == 2, 30, "the job in front")
        self.type("\x1a")
        self.expect("Stopped")
        self.type("echo half; ec")
        time.sleep(0.2)
        if sorted(self.state("sleep")) != ["S", "T"]:
            raise Failure(f"jobs are in states {self.state('sleep')}")

    def after_restore(self):
        if sorted(self.state("sleep")) != ["S", "T"]:
            raise Failure(f"jobs are in states {self.state('sleep')}")
        self.type("ho line\n")
        self.expect(r"\nhalf\s+line\s")
        self.line("jobs")
        self.expect("Running")
        self.expect("Stopped")
        self.line("fg")
        self.expect("sleep 2000")
        wait_for(lambda: self.state("sleep") == ["S", "S"], 30, "fg")
        self.type("\x03")
        self.line("kill %1; wait; echo 'jo''bs' $(jobs -r)")
        self.expect("\njobs *\r?\n")
        self.rows += 1
        self.do("size", self.rows, 70)
        self.line("")
        self.expect("resized")
        self.line("stty size")
        self.expect(f"\n{self.rows} 70")
        self.line("count x")
        self.expect(r"count x1\s+count x2\s+count x3")
        if "signal" in box.read(self.screen):
            raise Failure(f"the shell got a signal: {box.read(self.screen)[-300:]!r}")

    def leave_running(self):
        """What waits in the pty is in its place again when the tree goes on."""
        images = box.fresh_dir(self.dir, "images-left")
        self.do("hold", True)
        self.line("for i in {1..300}; do echo kept $i; done; read -r x; echo 're''ad' $x")
        time.sleep(0.5)
        self.type("one line\npart")
        box.dump(self.root, images, "--leave-running")
        self.type("ly\n")
        self.do("hold", False)
        for i in range(1, 301):
            if self.expect(r"\nkept (\d+)")[1] != str(i):
                raise Failure(f"output {i} was lost, or is there twice")
        self.expect(r"read one line")
        self.expect(r"partly: command not found")

    def finish(self):
        self.line("history | grep -c 'n=.((n'; exit")
        lines = int(self.expect(r"\n(\d+)\r?\n")[1])
        wait_for(lambda: not box.alive(self.root), 30, "the terminal to end")
        if lines != self.count + 1:
            raise Failure(f"the history has {lines} of {self.count} lines")
        return f"{self.count} steps"


class Script(Typed):
    name = "bash-script"
    packages = ("bsdutils", "bash")

    def start(self):
        holder = os.open(self.keys, os.O_RDWR)
        with open(self.out, "ab") as out:
            process = subprocess.Popen(["script", "-qfc", " ".join(BASH), self.screen], stdin=holder, stdout=out, stderr=out,
                                       start_new_session=True, cwd=self.dir, env=self.env)
        os.close(holder)
        return process.pid

    def shell(self):
        return box.tree(self.root)[-1]

    def type(self, text):
        self.send(text.encode())

    def finish(self):
        self.line("exit 3")
        wait_for(lambda: not box.alive(self.root), 30, "script to end")
        text = box.read(self.screen)
        steps = [int(n) for n in re.findall(r"\nstep (\d+) of", text)]
        if steps != list(range(1, self.count + 1)):
            raise Failure(f"the typescript has steps {steps}")
        if 'COMMAND_EXIT_CODE="3"' not in text:
            raise Failure(f"the typescript ends with {text[-200:]!r}")
        return f"{self.count} steps"


class Client:
    """A tmux client in a pty of our own, outside the job."""

    def __init__(self, argv, env, rows, columns):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, env)
        os.set_inheritable(self.master, False)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self.text = ""

    def shows(self, what):
        def read():
            if select.select([self.master], [], [], 0.05)[0]:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            return what in self.text

        wait_for(read, 30, f"{what!r} to be shown to the client")

    def detach(self):
        os.write(self.master, b"\x02d")
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.master)
        if status:
            raise Failure(f"the client ended with {status}")


class Tmux(Program):
    name = "tmux-vim"
    packages = ("tmux", "vim")

    def __init__(self):
        super().__init__()
        self.file = os.path.join(self.dir, "text")
        self.count = 0
        self.env.update(TERM="xterm", SHELL="/bin/bash", PS1="$ ")
        self.env.pop("TMUX", None)
        self.tmux = ["tmux", "-S", os.path.join(self.dir, "socket"), "-f", "/dev/null"]

    def command(self, *argv):
        return run(*self.tmux, *argv, env=self.env).strip()

    def start(self):
        self.command("new-session", "-d", "-x", "80", "-y", "24", f"vim -u NONE -i NONE -n {self.file}")
        self.command("split-window", "-d", *BASH)
        return int(self.command("display-message", "-p", "#{pid}"))

    def vim(self, *keys):
        self.command("send-keys", "-t", "0.0", *keys)

    def lines(self):
        return box.read(self.file).splitlines()

    def progress(self, more=3):
        for _ in range(more):
            self.count += 1
            self.vim("G", "o", f"line {self.count}", "Escape", ":w", "Enter")
            wait_for(lambda: self.lines()[-1:] == [f"line {self.count}"], 30, f"line {self.count} of the file")
            # the file is there before vim says so
            wait_for(lambda: re.search(rf"\b{self.count + 1} lines, .* written$", self.shown()), 30, "vim to say so")
        if self.lines() != ["", *(f"line {n}" for n in range(1, self.count + 1))]:
            raise Failure(f"the file has {self.lines()}")

    def shown(self):
        return self.command("capture-pane", "-p", "-t", "0.0")

    def before_dump(self):
        self.screen = self.shown()

    def after_restore(self):
        screen = self.shown()
        if screen != self.screen:
            raise Failure(f"the screen was {self.screen!r} and is {screen!r}")
        client = Client([*self.tmux, "attach"], self.env, 40, 100)
        client.shows(f"line {self.count}")
        self.command("send-keys", "-t", "0.1", "echo $((6*7))$$", "Enter")
        client.shows(f"42{self.shell()}")
        wait_for(lambda: self.columns() == "100", 30, "the size to arrive in vim")
        client.detach()

    def shell(self):
        return next(pid for pid, name in self.members().items() if name == "bash")

    def columns(self):
        path = os.path.join(self.dir, "columns")
        self.vim(f":call writefile([&columns], '{path}')", "Enter")
        wait_for(lambda: os.path.exists(path), 30, "vim to write its width")
        return box.read(path).strip()

    def finish(self):
        self.vim(f"{self.count}u", ":w", "Enter")
        wait_for(lambda: self.lines() in ([], [""]), 30, "everything to be undone")
        self.vim(":q", "Enter")
        self.command("send-keys", "-t", "0", "exit", "Enter")
        wait_for(lambda: not box.alive(self.root), 30, "tmux to end")
        return f"{self.count} lines"


class Window:
    """An interactive shell in a pty of our own."""

    def __init__(self, env, cwd):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execvpe(BASH[0], BASH, env)
        os.set_inheritable(self.master, False)
        self.text = ""
        self.size(24, 80)

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern):
        """What matches, and all before it is forgotten."""
        def read():
            if select.select([self.master], [], [], 0.05)[0]:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            return re.search(pattern, self.text)

        try:
            match = wait_for(read, 30, f"{pattern!r} in the window")
        except Failure as e:
            raise Failure(f"{e}; it shows {self.text[-400:]!r}") from None
        self.before, self.text = self.text[:match.start()], self.text[match.end():]
        return match

    def foreground(self):
        return os.tcgetpgrp(self.master)

    def close(self):
        os.close(self.master)
        os.waitpid(self.pid, 0)


class ShellJob(Program):
    name = "shell-job"
    packages = ("bash", "python3")
    options = ("--shell-job",)
    cycles = 4

    def start(self):
        self.env.update(PS1="$ ", TERM="dumb", HISTFILE="/dev/null")
        self.next = 0
        self.window = Window(self.env, self.dir)
        self.window.type(f"{PYTHON} {HERE}/ticker.py\n")
        self.window.expect(r"tick 0\s")
        self.next = 1
        return self.window.foreground()

    def progress(self, more=20):
        for _ in range(more):
            shown = int(self.window.expect(r"tick (\d+)\s")[1])
            if shown != self.next:
                raise Failure(f"tick {shown} instead of {self.next}")
            self.next += 1

    def refused(self):
        images = box.fresh_dir(self.dir, "images-refused")
        try:
            box.dump(self.root, images)
        except Failure as e:
            if "--shell-job" not in str(e):
                raise
            return
        raise Failure("it was dumped without --shell-job")

    def cycle(self, number):
        """Restored by hand: from the shell it was started from, and in turn from one in another window."""
        images = box.fresh_dir(self.dir, f"images{number}")
        self.refused()
        self.progress()
        before = self.members()
        stopped = number % 2 == 0
        if stopped:
            self.window.type("\x1a")
            self.window.expect("Stopped")
            self.ticks(self.window.before)
        dumped = box.dump(self.root, images, *self.options)
        if stopped:
            # the criu that is its parent has stopped with it, and ends with it
            self.window.type("fg\n")
        box.gone([self.root])
        # what the shell shows before it notices
        self.drain()
        if number >= 3:
            old, self.window = self.window, Window(self.env, self.dir)
            old.close()
        self.window.type("\n")
        self.window.expect(r"\$ $")
        begin = time.monotonic()
        self.window.type(f"{' '.join(box.criu_args('restore', images, *self.options))}\n")
        if stopped:
            self.window.expect("Stopped")
            if self.state() != "T":
                raise Failure(f"the stopped job is in state {self.state()}")
            self.window.type("fg\n")
        self.progress(1)
        restored = time.monotonic() - begin
        self.progress()
        if self.window.foreground() != self.root:
            raise Failure(f"group {self.window.foreground()} has the foreground instead of {self.root}")
        if self.members() != before:
            raise Failure(f"processes {before} came back as {self.members()}")
        self.window.size(30 + number, 90)
        self.window.expect(f"size {30 + number} 90")
        self.next = int(self.window.expect(r"tick (\d+)\s")[1]) + 1
        self.progress()
        return {"tasks": 1, "dump_ms": round(dumped * 1000), "restore_ms": round(restored * 1000),
                "image_bytes": size_bytes(images)}

    def state(self):
        return box.read(f"/proc/{self.root}/stat").split(")")[-1].split()[0]

    def ticks(self, text):
        """They must go on from where they were."""
        for shown in map(int, re.findall(r"tick (\d+)\s", text)):
            if shown != self.next:
                raise Failure(f"tick {shown} instead of {self.next}")
            self.next += 1

    def drain(self):
        """What was shown before the dump."""
        text, self.window.text = self.window.text, ""
        while select.select([self.window.master], [], [], 0.5)[0]:
            text += os.read(self.window.master, 65536).decode(errors="replace")
        self.ticks(text)

    def finish(self):
        self.window.type("\x03")
        self.window.expect(r"interrupted at \d+\s")
        self.window.expect(r"\$ $")
        box.gone([self.root])
        self.window.type("echo $?; exit\n")
        self.window.expect(r"\n0\s")
        self.window.close()
        return f"{self.next} ticks"


JOBS = [Terminal, Script, Tmux, ShellJob]
