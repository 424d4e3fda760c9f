/* Locks in fdinfo and in /proc/locks, and the system calls that wait for them. */
#include <errno.h>
#include <fcntl.h>

#include "kernel/proc.h"
#include "kernel/test-parse.h"
#include "util/test.h"

static const struct {
	const char *text;
	struct proc_lock lock;
} lock_lines[] = {
	{ "1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF",
	  { .kind = PROC_LOCK_FLOCK, .type = F_WRLCK, .pid = 359, .end = INT64_MAX } },
	{ "12: POSIX  ADVISORY  READ 0 fe:00:11059877 5 14\n",
	  { .kind = PROC_LOCK_POSIX, .type = F_RDLCK, .start = 5, .end = 14 } },
	{ "2: POSIX  *NOINODE* WRITE 7 <none>:0 9223372036854775807 EOF",
	  { .kind = PROC_LOCK_OTHER, .type = F_WRLCK, .pid = 7, .start = INT64_MAX, .end = INT64_MAX } },
	{ "3: OFDLCK ADVISORY  WRITE -1 08:02:1 0 0", { .kind = PROC_LOCK_OFD, .type = F_WRLCK, .pid = -1 } },
	{ "4: LEASE  ACTIVE    READ 3230 fe:00:1 0 EOF",
	  { .kind = PROC_LOCK_LEASE, .type = F_RDLCK, .pid = 3230, .end = INT64_MAX } },
	{ "4: LEASE  BREAKING  UNLCK 3230 fe:00:1 0 EOF",
	  { .kind = PROC_LOCK_LEASE, .breaking = true, .type = F_UNLCK, .pid = 3230, .end = INT64_MAX } },
	{ "4: DELEG  ACTIVE    READ 3230 fe:00:1 0 EOF",
	  { .kind = PROC_LOCK_OTHER, .type = F_RDLCK, .pid = 3230, .end = INT64_MAX } },
	{ "5: FLOCK  MSNFS     RW    3230 fe:00:1 0 EOF",
	  { .kind = PROC_LOCK_OTHER, .type = -1, .pid = 3230, .end = INT64_MAX } },
	/* Who waits for a lock has none; fdinfo does not show it. */
	{ "6: -> POSIX  ADVISORY  WRITE 3230 fe:00:1 0 EOF", { .kind = -1 } },
};

static void check_lock(const struct proc_lock *got, const struct proc_lock *want)
{
	CHECK_EQ(got->kind, want->kind);
	CHECK_EQ(got->breaking, want->breaking);
	CHECK_EQ(got->type, want->type);
	CHECK_EQ(got->pid, want->pid);
	CHECK_EQ(got->start, want->start);
	CHECK_EQ(got->end, want->end);
}

static void test_lock(void)
{
	static const char *const bad[] = { "",
					   "x",
					   "1",
					   "1: ",
					   "1: FLOCK",
					   "1: FLOCK  ADVISORY",
					   "1: FLOCK  ADVISORY  WRITE",
					   "1: FLOCK  ADVISORY  WRITE 359",
					   "1: FLOCK  ADVISORY  WRITE 359 00:13:1",
					   "1: FLOCK  ADVISORY  WRITE 359 00:13:1 0",
					   "1: FLOCK  ADVISORY  WRITE 359 00:13:1 0 ",
					   "1: FLOCK  ADVISORY  WRITE 359 00:13:1 0 EOFs",
					   "1: FLOCK  ADVISORY  WRITE 359 00:13:1 0 9 9",
					   "1: FLOCK  ADVISORY  WRITE x59 00:13:1 0 EOF",
					   "1: FLOCK  ADVISORY  WRITE 99999999999 00:13:1 0 EOF",
					   "1: POSIX  ADVISORY  WRITE 359 00:13:1 -1 EOF",
					   "1: POSIX  ADVISORY  WRITE 359 00:13:1 10 9",
					   "1: POSIX  ADVISORY  WRITE 359 00:13:1 0 9223372036854775808",
					   "1: POSIX  ADVISORY\n  WRITE 359 00:13:1 0 9",
					   "1: POSIX  ADVISORY  WRITE 359 00:13 0 9",
					   "1: POSIX  ADVISORY  WRITE 359 00:13:x 0 9",
					   "1: POSIX  ADVISORY  WRITE 359 100000000:13:1 0 9",
					   "1: POSIX  ADVISORY  WRITE 359 0:1:18446744073709551616 0 9",
					   "1: POSIX  ADVISORY  WRITE 359 <none>:1 0 9" };
	struct proc_lock lock;

	for (size_t i = 0; i < ARRAY_SIZE(lock_lines); i++) {
		bool held = (int)lock_lines[i].lock.kind >= 0;

		if (CHECK_EQ(proc_parse_lock(lock_lines[i].text, &lock), held ? 0 : -EINVAL) && held)
			check_lock(&lock, &lock_lines[i].lock);
		POKE(lock_lines[i].text, struct proc_lock, proc_parse_lock, nothing);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(proc_parse_lock(bad[i], &lock), -EINVAL);
	/* Without the end of the line; a byte less is "5 1", which is no range. */
	CHECK_EQ(PREFIXES_ACCEPTED(lock_lines[1].text, struct proc_lock, proc_parse_lock, nothing), 1);
}

static void test_locks(void)
{
	static const char text[] = "1: LEASE  BREAKING  UNLCK 11979 fe:00:11150871 0 EOF\n"
				   "1: -> LEASE  BREAKER   WRITE 12016 <none>:0 0 EOF\n"
				   "2: POSIX  ADVISORY  WRITE 11979 100:1a:7 10 14\n"
				   "2: -> POSIX  ADVISORY  READ 11980 100:1a:7 0 EOF\n"
				   "2:  -> OFDLCK ADVISORY  WRITE -1 100:1a:7 0 EOF\n"
				   "2:   -> POSIX  ADVISORY  WRITE 12015 100:1a:7 12 12\n"
				   "3: POSIX  *NOINODE* READ 7 <none>:0 0 EOF\n";
	static const char *const bad[] = { "\n",
					   "1: FLOCK  ADVISORY  WRITE 1 00:01:1 0 EOF",
					   "1: FLOCK  ADVISORY  WRITE 1 00:01:1 0 EOF\nx\n",
					   "1: -> -> FLOCK  ADVISORY  WRITE 1 00:01:1 0 EOF\n",
					   "1: FLOCK  ADVISORY  WRITE 1 00:01:1 0 EOF x\n",
					   "1:FLOCK  ADVISORY  WRITE 1 00:01:1 0 EOF\n" };
	proc_locks locks;

	if (CHECK_EQ(proc_parse_locks(text, &locks), 0) && CHECK_EQ(locks.n, 7)) {
		const struct proc_lock *l = locks.data;

		CHECK(!l[0].waits && l[0].breaking && l[0].dev_major == 0xfe && l[0].ino == 11150871);
		CHECK(l[1].waits && l[1].kind == PROC_LOCK_LEASE && l[1].pid == 12016);
		CHECK(l[1].dev_major == 0xfe && !l[1].dev_minor && l[1].ino == 11150871);
		CHECK(!l[2].waits && l[2].dev_major == 0x100 && l[2].dev_minor == 0x1a && l[2].ino == 7);
		CHECK(l[3].waits && l[4].waits && l[5].waits && !l[6].waits);
		CHECK(l[4].kind == PROC_LOCK_OFD && l[4].pid == -1 && l[5].start == 12 && l[5].end == 12);
		CHECK(!l[6].ino);
		VEC_FREE(&locks);
	}
	CHECK_EQ(proc_parse_locks("", &locks), 0);
	CHECK_EQ(locks.n, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(proc_parse_locks(bad[i], &locks), -EINVAL);
#define FREE_LOCKS(l) VEC_FREE(l)
	/* Only whole lines. */
	CHECK_EQ(PREFIXES_ACCEPTED(text, proc_locks, proc_parse_locks, FREE_LOCKS), 7);
	POKE(text, proc_locks, proc_parse_locks, FREE_LOCKS);
}

#define LOCK(kind_, type_, start_, end_, ino_)                                                                         \
	{                                                                                                              \
		.kind = PROC_LOCK_##kind_, .type = type_, .start = start_, .end = end_, .dev_major = 8, .ino = ino_    \
	}

static const struct {
	struct proc_lock a, b;
	bool conflict;
} lock_pairs[] = {
	{ LOCK(POSIX, F_WRLCK, 10, 19, 1), LOCK(POSIX, F_RDLCK, 0, 10, 1), true },
	{ LOCK(POSIX, F_WRLCK, 10, 19, 1), LOCK(OFD, F_RDLCK, 19, INT64_MAX, 1), true },
	{ LOCK(POSIX, F_WRLCK, 10, 19, 1), LOCK(POSIX, F_WRLCK, 0, 9, 1), false },
	{ LOCK(POSIX, F_RDLCK, 10, 19, 1), LOCK(POSIX, F_RDLCK, 10, 19, 1), false },
	{ LOCK(POSIX, F_WRLCK, 10, 19, 1), LOCK(POSIX, F_WRLCK, 10, 19, 2), false },
	{ LOCK(POSIX, F_WRLCK, 10, 19, 0), LOCK(POSIX, F_WRLCK, 10, 19, 0), false },
	{ LOCK(POSIX, F_WRLCK, 0, INT64_MAX, 1), LOCK(FLOCK, F_WRLCK, 0, INT64_MAX, 1), false },
	{ LOCK(FLOCK, F_RDLCK, 0, INT64_MAX, 1), LOCK(FLOCK, F_WRLCK, 0, INT64_MAX, 1), true },
	{ LOCK(FLOCK, F_RDLCK, 0, INT64_MAX, 1), LOCK(FLOCK, F_RDLCK, 0, INT64_MAX, 1), false },
	{ LOCK(LEASE, F_UNLCK, 0, INT64_MAX, 1), LOCK(LEASE, F_WRLCK, 0, INT64_MAX, 1), true },
	{ LOCK(LEASE, F_RDLCK, 0, INT64_MAX, 1), LOCK(LEASE, F_RDLCK, 0, INT64_MAX, 1), true },
	{ LOCK(LEASE, F_RDLCK, 0, INT64_MAX, 1), LOCK(FLOCK, F_WRLCK, 0, INT64_MAX, 1), false },
	{ LOCK(OTHER, F_WRLCK, 0, INT64_MAX, 1), LOCK(OTHER, F_WRLCK, 0, INT64_MAX, 1), false },
};

static void test_conflict(void)
{
	struct proc_lock other = lock_pairs[0].b;

	for (size_t i = 0; i < ARRAY_SIZE(lock_pairs); i++) {
		CHECK_EQ(proc_locks_conflict(&lock_pairs[i].a, &lock_pairs[i].b), lock_pairs[i].conflict);
		CHECK_EQ(proc_locks_conflict(&lock_pairs[i].b, &lock_pairs[i].a), lock_pairs[i].conflict);
	}
	other.dev_minor = 1;
	CHECK(!proc_locks_conflict(&lock_pairs[0].a, &other));
}

static void test_syscall(void)
{
	static const char text[] =
		"72 0x5 0x26 0x7ffdcf555150 0x0 0x0 0xffffffffffffff9c 0x7ffdcf5550d0 0x7f13c59d5810\n";
	static const char *const bad[] = { "",	      "runs\n",	   "-2 0x1 0x2\n",
					   "72\n",    "72 5 26\n", "72 0x1 0x2 0x3 0x4 0x5\n",
					   "72 0x\n", "-1\n",	   "72 0x1 0x2 0x3 0x4 0x5 0x6\n" };
	struct proc_syscall call;

	if (CHECK_EQ(proc_parse_syscall(text, &call), 0)) {
		CHECK_EQ(call.nr, 72);
		CHECK(call.args[0] == 5 && call.args[1] == 0x26 && call.args[2] == 0x7ffdcf555150);
		CHECK_EQ(call.args[5], 0xffffffffffffff9c);
	}
	CHECK(!proc_parse_syscall("running\n", &call) && call.nr == -1);
	call.nr = 7;
	CHECK(!proc_parse_syscall("-1 0x7ffc9e4f2cf8 0x7f1e5c6d2a17\n", &call) && call.nr == -1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(proc_parse_syscall(bad[i], &call), -EINVAL);
	POKE(text, struct proc_syscall, proc_parse_syscall, nothing);
}

int main(void)
{
	test_parse_quietly();
	test_lock();
	test_locks();
	test_conflict();
	test_syscall();
	return test_end();
}
