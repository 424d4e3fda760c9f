#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "commands/worker.h"
#include "util/test.h"

static int give_back(void *arg)
{
	return *(int *)arg;
}

/* As when memory runs out. */
static int give_up(void *arg)
{
	_exit(1);
}

static int be_killed(void *arg)
{
	return raise(SIGKILL);
}

/* One that says nothing must not be taken for one that succeeded. */
static int leave(void *arg)
{
	_exit(0);
}

int main(void)
{
	CHECK_EQ(worker_run(give_back, &(int){ 0 }), 0);
	CHECK_EQ(worker_run(give_back, &(int){ -EPERM }), -EPERM);
	CHECK_EQ(worker_run(give_up, NULL), -ECHILD);
	CHECK_EQ(worker_run(be_killed, NULL), -ECHILD);
	CHECK_EQ(worker_run(leave, NULL), -ECHILD);
	return test_end();
}
