#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote/watch.h"
#include "util/test.h"

static int gate[2];

static void *wait_at_gate(void *arg)
{
	char byte;

	return read(gate[0], &byte, 1) < 0 ? arg : NULL;
}

/* A process with @n_threads more threads and @n_children children; a zombie if @n_children is negative. */
static pid_t start(int n_threads, int n_children)
{
	pid_t pid = fork();
	pthread_t thread;

	if (pid)
		return pid;
	close(gate[1]);
	if (n_children < 0)
		_exit(0);
	for (int i = 0; i < n_threads; i++)
		pthread_create(&thread, NULL, wait_at_gate, NULL);
	for (int i = 0; i < n_children; i++)
		if (!fork())
			break;
	wait_at_gate(NULL);
	_exit(0);
}

/* Everybody is in read(2). */
static void settle(pid_t pid)
{
	struct proc_stat stat;

	for (int i = 0; i < 1000 && !proc_read_stat(pid, 0, &stat) && stat.state != 'S'; i++)
		usleep(1000);
	usleep(50000);
}

static void test_tree(void)
{
	struct refusals refusals = { .keep = true };
	struct remote_tree tree;
	pid_t pid = start(2, 2);

	settle(pid);
	if (!CHECK_EQ(watch_tree(pid, &refusals, &tree), 0))
		return;
	CHECK_EQ(refusals.n, 0);
	CHECK_EQ(tree.n, 3);
	CHECK_EQ(tree.processes[0]->n_threads, 3);
	CHECK_EQ(tree.processes[0]->threads[0].tid, pid);
	CHECK_EQ(tree.processes[0]->state, REMOTE_ALIVE);
	CHECK(tree.processes[0]->watched);
	CHECK(tree.n == 3 && tree.processes[2]->parent == tree.processes[0]);
	CHECK(!watch_is_gone(tree.processes[0], pid));
	CHECK(!watch_is_gone(tree.processes[0], tree.processes[0]->threads[1].tid));
	CHECK(watch_is_gone(tree.processes[0], 1));
	kill(tree.processes[1]->pid, SIGKILL);
	usleep(50000);
	CHECK(watch_is_gone(tree.processes[1], tree.processes[1]->pid));
	watch_free(&tree);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A process that traces @pid until it is killed. */
static pid_t start_tracer(pid_t pid)
{
	struct proc_status status = { 0 };
	pid_t tracer = fork();

	if (!tracer) {
		ptrace(PTRACE_SEIZE, pid, 0, 0);
		pause();
		_exit(0);
	}
	for (int i = 0; i < 1000 && status.tracer_pid != tracer; i++) {
		usleep(1000);
		proc_status_free(&status);
		CHECK(!proc_read_status(pid, pid, &status));
	}
	proc_status_free(&status);
	return tracer;
}

static void test_refused(void)
{
	struct refusals refusals = { .keep = true };
	struct remote_tree tree;
	pid_t pid = start(0, 0), tracer;

	settle(pid);
	tracer = start_tracer(pid);
	CHECK_EQ(watch_tree(pid, &refusals, &tree), 0);
	CHECK_EQ(refusals.n, 1);
	CHECK(refusals.kept.n && strstr(refusals.kept.data[0].text, "being traced"));
	watch_free(&tree);
	refusals_free(&refusals);
	kill(tracer, SIGKILL);
	waitpid(tracer, NULL, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);

	CHECK_EQ(watch_tree(getpid(), &refusals, &tree), 0);
	CHECK(refusals.kept.n && strstr(refusals.kept.data[0].text, "criu itself"));
	watch_free(&tree);
	refusals_free(&refusals);
}

static void test_nobody(void)
{
	struct refusals refusals = { .keep = true };
	struct remote_tree tree;
	pid_t pid = start(0, -1);

	usleep(50000);
	log_hold_errors(true);
	CHECK_EQ(watch_tree(pid, &refusals, &tree), -ESRCH);
	CHECK_EQ(tree.n, 0);
	waitpid(pid, NULL, 0);
	CHECK_EQ(watch_tree(pid, &refusals, &tree), -ESRCH);
	log_hold_errors(false);
}

int main(void)
{
	if (pipe(gate))
		return 1;
	test_tree();
	test_refused();
	test_nobody();
	close(gate[1]);
	return test_end();
}
