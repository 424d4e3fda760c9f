#include <mqueue.h>
#include <signal.h>

#include "files/mqueue.h"
#include "util/mem.h"
#include "util/test.h"

static void test_parse(void)
{
	struct mqueue_told told;

	CHECK(mqueue_parse_told("QSIZE:129        NOTIFY:2    SIGNO:0    NOTIFY_PID:8260  \n", &told));
	CHECK(told.kind == SIGEV_THREAD && told.signo == 0 && told.pid == 8260);
	CHECK(mqueue_parse_told("QSIZE:0          NOTIFY:0     SIGNO:10    NOTIFY_PID:16672 \n", &told));
	CHECK(told.kind == SIGEV_SIGNAL && told.signo == 10 && told.pid == 16672);
	CHECK(!mqueue_parse_told("", &told));
	CHECK(!mqueue_parse_told("QSIZE:0          NOTIFY:0     SIGNO:10", &told));
	CHECK(!mqueue_parse_told("QSIZE:x          NOTIFY:0     SIGNO:10    NOTIFY_PID:1", &told));
}

/* What a kernel really shows. */
static void test_read(void)
{
	const struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	auto_fd int fd = mq_open("/criu-mqueue-test", O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
	struct mqueue_told told;

	if (fd < 0) {
		TEST_SKIP("no POSIX message queue");
		return;
	}
	CHECK(!mq_unlink("/criu-mqueue-test"));
	CHECK(!mqueue_read_told(fd, &told) && !told.pid);
	CHECK(!mq_notify(fd, &event));
	CHECK(!mqueue_read_told(fd, &told));
	CHECK(told.kind == SIGEV_SIGNAL && told.signo == SIGUSR2 && told.pid == getpid());
}

int main(void)
{
	test_parse();
	test_read();
	return test_end();
}
