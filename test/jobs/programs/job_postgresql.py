"""PostgreSQL with pgbench, over a unix socket.

postgresql        pgbench runs transactions of its own kind, in each of which a client also enters the number of the
                  transaction.  At any time the database holds, for each client, all numbers up to one that is the
                  last that pgbench was told of, or the next.  At the end it holds exactly as many as pgbench counts
                  (none was lost, none done twice), the sums over accounts, tellers, branches and history agree, and the server shuts down cleanly.
"""
import glob
import os
import re
import signal

from frame import Failure, Program, box, run, wait_for

CLIENTS = 4
SCRIPT = r"""
\set n :n + 1
\set aid random(1, 100000)
\set bid random(1, 1)
\set tid random(1, 10)
\set delta random(-5000, 5000)
begin;
update pgbench_accounts set abalance = abalance + :delta where aid = :aid;
select abalance from pgbench_accounts where aid = :aid;
update pgbench_tellers set tbalance = tbalance + :delta where tid = :tid;
update pgbench_branches set bbalance = bbalance + :delta where bid = :bid;
insert into pgbench_history (tid, bid, aid, delta, mtime) values (:tid, :bid, :aid, :delta, current_timestamp);
insert into steps values (:client_id, :n);
end;
"""


class PostgreSQL(Program):
    name = "postgresql"
    packages = ("postgresql-15", "postgresql-client-15")
    user = "postgres"
    seconds = 150

    def __init__(self):
        super().__init__()
        self.bin = "/usr/lib/postgresql/15/bin"
        self.data = os.path.join(self.dir, "data")
        self.socket = os.path.join(self.dir, "s")
        self.script = os.path.join(self.dir, "script.sql")
        self.env.update(PGHOST=self.socket, PGDATABASE="postgres", PGUSER="postgres")

    def tool(self, *argv):
        return run(*argv, env=self.env, cwd=self.dir, **self.as_user())

    def sql(self, text):
        return [line.split("|") for line in self.tool(f"{self.bin}/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text).splitlines()]

    def numbers(self, text):
        return [[int(x) for x in row] for row in self.sql(text)]

    def start(self):
        root = self.spawn("/bin/sh", "-c", f"""
            mkdir {self.socket} && {self.bin}/initdb -D {self.data} || exit
            {self.bin}/postgres -D {self.data} -k {self.socket} &
            until {self.bin}/pg_isready -q; do sleep 0.1; done
            {self.bin}/pgbench -iq && {self.bin}/psql -Xqc 'create table steps (client int, n int)' || exit
            {self.bin}/pgbench -f {self.script} -n -D n=0 -c {CLIENTS} -j 2 -T 100000 -l --log-prefix={self.dir}/told
            echo pgbench ended with $?
            wait""")
        with open(self.script, "w") as f:
            f.write(SCRIPT)
        wait_for(lambda: self.told() or not box.alive(root), 120, "pgbench to begin")
        return root

    def told(self):
        """{client: transactions done} according to pgbench, whose logs are written with delay."""
        counts = {}
        for path in glob.glob(f"{self.dir}/told.*"):
            for line in box.read(path).rpartition("\n")[0].splitlines():
                client, number = map(int, line.split()[:2])
                counts[client] = max(number, counts.get(client, 0))
        return counts

    def check_steps(self, ended=False):
        told = self.told()
        rows = self.numbers("select client, count(*), min(n), max(n), count(distinct n) from steps group by client order by client")
        for client, count, low, high, distinct in rows:
            if low != 1 or not count == high == distinct:
                raise Failure(f"client {client}: {count} transactions, {distinct} of them different, from {low} to {high}")
            if count < told.get(client, 0) or (ended and count != told[client]):
                raise Failure(f"client {client}: {count} transactions, but pgbench was told of {told[client]}")
        if len(rows) != CLIENTS:
            raise Failure(f"{len(rows)} clients")
        return sum(row[1] for row in rows)

    def begin(self):
        super().begin()
        servers = [row[0] for row in self.numbers("""select pid from pg_stat_activity
            where application_name <> 'psql' and backend_type not in ('autovacuum worker', 'parallel worker')""")]
        others = [pid for pid, name in super().members().items() if name != "postgres"]
        self.crew = {self.postmaster(), *servers, *others}

    def postmaster(self):
        return int(box.read(f"{self.data}/postmaster.pid").split()[0])

    def members(self):
        """Without what comes and goes: workers that the server starts for an errand, backends of our own questions."""
        return {pid: name for pid, name in super().members().items() if pid in self.crew}

    def progress(self, more=200):
        self.tool(f"{self.bin}/pg_isready", "-q")
        goal = self.check_steps() + more
        wait_for(lambda: self.alive() or self.check_steps() >= goal, 60, f"{more} more transactions")

    def after_restore(self):
        self.sums()

    def sums(self):
        sums = self.numbers("""select (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches),
            (select sum(tbalance) from pgbench_tellers), (select sum(delta) from pgbench_history),
            (select count(*) from pgbench_history), (select count(*) from steps)""")[0]
        if len(set(sums[:4])) != 1 or sums[4] != sums[5]:
            raise Failure(f"sums over accounts, branches, tellers, history and counts are {sums}")

    def finish(self):
        # the script fails from now on, so every client ends after a whole transaction, and pgbench tells how many
        self.sql("alter table steps rename to done")
        wait_for(lambda: "pgbench ended" in box.read(self.out), 60, "pgbench to end")
        said = re.search(r"number of transactions actually processed: (\d+)", box.read(self.out))
        self.sql("alter table done rename to steps")
        count = self.check_steps(ended=True)
        if not said or int(said[1]) != count:
            raise Failure(f"pgbench counts {said and said[1]} transactions, the database has {count}")
        self.sums()
        os.kill(self.postmaster(), signal.SIGINT)
        wait_for(lambda: not box.alive(self.root), 60, "the server to shut down")
        state = run(f"{self.bin}/pg_controldata", self.data)
        if not re.search(r"cluster state:\s+shut down$", state, re.M):
            raise Failure(f"the server did not shut down cleanly: {state[:500]}")
        return f"{count} transactions"


JOBS = [PostgreSQL]
