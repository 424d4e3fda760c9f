#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "kernel/syscalls.h"
#include "remote/courier.h"
#include "util/log.h"

int courier_open(int above, struct courier *ret)
{
	struct rlimit limit;
	int pidfd;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);

	pidfd = sys_pidfd_open(getpid(), 0);
	if (pidfd < 0)
		return fail(-pidfd, "cannot open a pidfd of this process");
	ret->pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, above);
	close(pidfd);
	if (ret->pidfd < 0)
		return fail_errno("a task has descriptor %d, above the limit of open files (ulimit -Hn) %lu", above - 1,
				  limit.rlim_max);
	return 0;
}

int courier_clear(const struct courier *courier, struct batch *batch)
{
	int err = batch_room(batch, 2, 0);

	if (err)
		return err;
	if (courier->pidfd > 0)
		batch_must(batch, "close inherited descriptors", SYS_close_range, 0, courier->pidfd - 1, 0);
	batch_must(batch, "close inherited descriptors", SYS_close_range, courier->pidfd + 1, ~0U, 0);
	return 0;
}

int courier_lend(const struct courier *courier, struct batch *batch, int our_fd)
{
	return batch_must(batch, "fetch a descriptor", SYS_pidfd_getfd, courier->pidfd, our_fd, 0);
}

struct lent {
	int op, number;
};

static int check_lent(struct batch *batch, const struct lent *lent, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		long ret = batch_ret(batch, lent[i].op);

		if (ret != lent[i].number)
			return fail(ret < 0 ? -ret : EBADF, "puppet %d: cannot fetch descriptor %d",
				    batch_thread(batch)->process->pid, lent[i].number);
	}
	return 0;
}

/*
 * Ascending order makes every number known in advance: all below @lowest are
 * taken, so the next fetched descriptor becomes @lowest.
 */
int courier_install(const struct courier *courier, struct remote_process *process, const struct courier_item *items,
		    size_t n)
{
	enum { OPS_PER_ITEM = 3, PER_BATCH = BATCH_MAX_OPS / OPS_PER_ITEM };
	cleanup_with(batch_freep) struct batch *batch = NULL;
	struct lent lent[PER_BATCH];
	int lowest = 0, err;

	err = batch_new(process->driver, &batch);
	for (size_t done = 0; !err && done < n;) {
		size_t now = min_u64(n - done, PER_BATCH);

		err = batch_room(batch, now * OPS_PER_ITEM, 0);
		for (size_t i = 0; !err && i < now; i++) {
			const struct courier_item *item = &items[done + i];

			lent[i] = (struct lent){ courier_lend(courier, batch, item->fd), lowest };
			if (item->number != lowest) {
				batch_must(batch, "place a descriptor (limit of open files?)", SYS_dup3, lowest,
					   item->number, item->cloexec ? O_CLOEXEC : 0);
				batch_must(batch, "close a descriptor", SYS_close, lowest);
			} else {
				if (!item->cloexec)
					batch_must(batch, "clear close-on-exec", SYS_fcntl, lowest, F_SETFD, 0);
				lowest++;
			}
		}
		if (!err)
			err = batch_run(batch);
		if (!err)
			err = check_lent(batch, lent, now);
		done += now;
	}
	return err;
}

int courier_close(const struct courier *courier, struct batch *batch)
{
	int err = batch_room(batch, 1, 0);

	if (!err)
		batch_must(batch, "close the courier", SYS_close, courier->pidfd);
	return err;
}
