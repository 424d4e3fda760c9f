/* On a set of this process, in an IPC namespace of its own. */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/semops.h"
#include "util/test.h"

static int set;

static int call(struct sembuf *ops, size_t n)
{
	CHECK(n && n <= SEMOPS_MAX);
	return semop(set, ops, n) ? errno : 0;
}

static int value_of(int num)
{
	return semctl(set, num, GETVAL);
}

static bool is_at_most(int num, int limit)
{
	struct sembuf ops[SEMOPS_MAX];
	int err = call(ops, semops_at_most(ops, num, value_of(num), limit));

	CHECK(err == ERANGE || err == EAGAIN);
	return err == ERANGE;
}

static bool is_at_least(int num, int limit)
{
	struct sembuf ops[SEMOPS_MAX];
	int err = call(ops, semops_at_least(ops, num, value_of(num), limit));

	CHECK(err == ERANGE || err == EAGAIN);
	return err == ERANGE;
}

/* By the questions alone; nothing may change. */
static void check_adjust(int num, int adjust)
{
	int value = value_of(num), pid = semctl(set, num, GETPID);

	CHECK(is_at_most(num, adjust) && is_at_least(num, adjust));
	CHECK(is_at_most(num, SEM_ADJUST_MAX) && is_at_least(num, SEM_ADJUST_MIN));
	if (adjust > SEM_ADJUST_MIN)
		CHECK(!is_at_most(num, adjust - 1) && !is_at_most(num, SEM_ADJUST_MIN));
	if (adjust < SEM_ADJUST_MAX)
		CHECK(!is_at_least(num, adjust + 1) && !is_at_least(num, SEM_ADJUST_MAX));
	CHECK_EQ(value_of(num), value);
	CHECK_EQ(semctl(set, num, GETPID), pid);
}

/* In a child: its end adds what it was shifted by, as far as that goes. */
static void test_shift(int value, int delta)
{
	struct sembuf ops[SEMOPS_MAX];
	int expected = value + delta < 0 ? 0 : value + delta > SEMVAL_MAX ? SEMVAL_MAX : value + delta, status;
	pid_t pid;

	CHECK(!semctl(set, 1, SETVAL, value));
	pid = fork();
	if (!pid) {
		CHECK_EQ(call(ops, semops_shift(ops, 1, value, delta)), 0);
		CHECK_EQ(value_of(1), value);
		CHECK_EQ(semctl(set, 1, GETPID), getpid());
		check_adjust(1, delta);
		_exit(test_end());
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	CHECK_EQ(value_of(1), expected);
	CHECK_EQ(value_of(0), 0);
	CHECK_EQ(value_of(2), 0);
}

static void test_foreign_value(void)
{
	struct sembuf ops[SEMOPS_MAX];

	CHECK(!semctl(set, 1, SETVAL, 5));
	CHECK_EQ(call(ops, semops_at_most(ops, 1, 4, 0)), EAGAIN);
	CHECK_EQ(call(ops, semops_at_most(ops, 1, 6, 0)), EAGAIN);
	CHECK_EQ(call(ops, semops_at_least(ops, 1, 4, 0)), EAGAIN);
	CHECK_EQ(call(ops, semops_set(ops, 1, 4, 9)), EAGAIN);
	CHECK_EQ(value_of(1), 5);
	CHECK_EQ(call(ops, semops_set(ops, 1, 5, 9)), 0);
	CHECK_EQ(value_of(1), 9);
	CHECK_EQ(call(ops, semops_set(ops, 1, 9, 0)), 0);
	CHECK_EQ(value_of(1), 0);
}

int main(void)
{
	static const int values[] = { 0, 1, 16383, 16384, 32766, SEMVAL_MAX };
	static const int deltas[] = {
		0, 1, -1, 2, 300, -300, 16384, -16384, SEM_ADJUST_MAX, -SEM_ADJUST_MAX, SEM_ADJUST_MIN
	};

	if (unshare(CLONE_NEWIPC)) {
		TEST_SKIP("no IPC namespace of its own without CAP_SYS_ADMIN");
		return test_end();
	}
	set = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
	for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++)
		for (size_t d = 0; d < sizeof(deltas) / sizeof(deltas[0]); d++)
			test_shift(values[v], deltas[d]);
	test_foreign_value();
	return test_end();
}
