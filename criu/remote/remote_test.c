#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "remote/batch.h"
#include "remote/call.h"
#include "remote/seize.h"
#include "util/test.h"
#include "util/log.h"

/* A child that counts in shared memory, and one thing to watch it by. */
static volatile uint64_t *counter;

static pid_t start_counter(void)
{
	pid_t pid = fork();

	if (!pid) {
		const struct timespec pause = { .tv_nsec = 1000000 };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			if (nanosleep(&pause, NULL))
				_exit(7);
			(*counter)++;
		}
	}
	return pid;
}

static bool counts_on(void)
{
	uint64_t before = *counter;
	const struct timespec pause = { .tv_nsec = 100000000 };

	nanosleep(&pause, NULL);
	return *counter > before;
}

static size_t count_maps(pid_t pid)
{
	proc_maps maps = { 0 };
	size_t n = proc_read_maps(pid, false, &maps) ? 0 : maps.n;

	proc_maps_free(&maps);
	return n;
}

static void test_batch(struct remote_thread *thread)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	struct remote_addr in, out;
	int getpid_op, bad_op, ppid_op;

	CHECK(!batch_new(thread, &batch));
	CHECK(!batch_room(batch, 3, 64));
	in = batch_data(batch, "hello", 6);
	out = batch_data(batch, NULL, 16);
	getpid_op = batch_add(batch, SYS_getpid);
	bad_op = batch_add(batch, SYS_close, 9999);
	ppid_op = batch_add(batch, SYS_prctl, PR_GET_NAME, out.v);
	CHECK(!batch_run(batch));
	CHECK(batch_ret(batch, getpid_op) == thread->process->pid);
	CHECK(batch_ret(batch, bad_op) == -EBADF);
	CHECK(batch_ret(batch, ppid_op) == 0);
	CHECK(*(char *)batch_local(batch, in) == 'h');
	CHECK(*(char *)batch_local(batch, out) != 0);

	batch_must(batch, "close what is not open", SYS_close, 9999);
	CHECK(batch_run(batch) == -EBADF);

	/* More than fits at once: the rest runs when there is room. */
	for (int i = 0; i < 1000; i++) {
		CHECK(!batch_room(batch, 1, 0));
		batch_add(batch, SYS_getpid);
	}
	CHECK(!batch_run(batch));
}

static void test_cycle(pid_t pid, size_t n_maps)
{
	struct refusals refusals = { 0 };
	struct remote_tree tree;
	long ret;

	CHECK(!seize_tree(pid, 5, &refusals, &tree));
	CHECK(tree.n == 1 && tree.processes[0]->n_threads == 1);
	CHECK(!remote_open(tree.processes[0]));
	CHECK(!remote_call(tree.processes[0]->driver, &ret, SYS_getpid));
	CHECK(ret == pid);
	test_batch(&tree.processes[0]->threads[0]);
	CHECK(!remote_close(tree.processes[0]));
	CHECK(count_maps(pid) == n_maps);
	seize_release(&tree, RELEASE_RUN);
}

int main(void)
{
	size_t n_maps;
	pid_t pid;
	int status;

	log_set_level(LOG_MSG);
	counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = start_counter();
	CHECK(counts_on());
	n_maps = count_maps(pid);
	for (int i = 0; i < 50; i++)
		test_cycle(pid, n_maps);
	CHECK(counts_on());
	CHECK(!waitpid(pid, &status, WNOHANG));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return test_end();
}
