#include <stdbool.h>

#include "ipc/semops.h"
#include "util/macros.h"

static struct sembuf *add(struct sembuf *at, unsigned short num, int op, int flags)
{
	*at = (struct sembuf){ .sem_num = num, .sem_op = (short)op, .sem_flg = (short)(flags | IPC_NOWAIT) };
	return at + 1;
}

/* From here on the value is 0, or the call fails. */
static struct sembuf *pin(struct sembuf *at, unsigned short num, int value)
{
	if (value)
		at = add(at, num, -value, 0);
	return add(at, num, 0, 0);
}

/* Nothing is 0 that was just raised. */
static struct sembuf *fail_for_sure(struct sembuf *at, unsigned short num)
{
	at = add(at, num, 1, 0);
	return add(at, num, 0, 0);
}

size_t semops_at_most(struct sembuf *ops, unsigned short num, int value, int limit)
{
	struct sembuf *at = pin(ops, num, value);
	int step;

	/* Raising a semaphore lowers the adjustment: out of range with the first that is more. */
	for (int left = limit + 1 - SEM_ADJUST_MIN; left; left -= step) {
		step = (int)min_u64(left, SEMVAL_MAX);
		at = add(at, num, step, SEM_UNDO);
		at = add(at, num, -step, 0);
	}
	return fail_for_sure(at, num) - ops;
}

size_t semops_at_least(struct sembuf *ops, unsigned short num, int value, int limit)
{
	struct sembuf *at = pin(ops, num, value);
	int step;

	for (int left = SEM_ADJUST_MAX + 1 - limit; left; left -= step) {
		step = (int)min_u64(left, SEMVAL_MAX);
		at = add(at, num, step, 0);
		at = add(at, num, -step, SEM_UNDO);
	}
	return fail_for_sure(at, num) - ops;
}

/* There and back, in the direction in which the value has more room. */
static struct sembuf *there_and_back(struct sembuf *at, unsigned short num, bool up_first, int step, int up_flags,
				     int down_flags)
{
	if (up_first)
		at = add(at, num, step, up_flags);
	at = add(at, num, -step, down_flags);
	if (!up_first)
		at = add(at, num, step, up_flags);
	return at;
}

size_t semops_shift(struct sembuf *ops, unsigned short num, int value, int delta)
{
	bool up_first = value <= SEMVAL_MAX / 2;
	int room = up_first ? SEMVAL_MAX - value : value, step;
	struct sembuf *at = ops;

	if (!delta)
		return there_and_back(at, num, up_first, 1, 0, 0) - ops;
	for (int left = delta < 0 ? -delta : delta; left; left -= step) {
		step = (int)min_u64(left, room);
		at = there_and_back(at, num, up_first, step, delta < 0 ? SEM_UNDO : 0, delta < 0 ? 0 : SEM_UNDO);
	}
	return at - ops;
}

size_t semops_set(struct sembuf *ops, unsigned short num, int from, int to)
{
	struct sembuf *at = pin(ops, num, from);

	if (to)
		at = add(at, num, to, 0);
	return at - ops;
}
