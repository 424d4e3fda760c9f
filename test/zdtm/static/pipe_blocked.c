#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "kids.h"

const char *test_doc =
	"A writer blocked in a full pipe and a reader blocked in an empty one go on, without losing a byte";

/*
 * What the pipe holds, and what the writer wants to add. It is small enough
 * to go in as a whole: of a bigger one the kernel reports a part whenever a
 * tracer stops the writer, which is no fault of restore.
 */
#define PIPE_BYTES   65536
#define WRITER_BYTES 4096

static int full[2], empty[2];

/* 1 when the process sleeps, for which up to 10 s are given. */
static int sleeps(pid_t pid)
{
	char path[64], text[512], *state;
	int i;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (i = 0; i < 1000; i++) {
		if (read_value(path, text, sizeof(text)))
			return 0;
		state = strrchr(text, ')');
		if (state && state[2] == 'S')
			return 1;
		usleep(10000);
	}
	return 0;
}

static int writer(void)
{
	char data[WRITER_BYTES];

	pattern_fill(data, sizeof(data), 2);
	/* One call that sleeps before the first byte. */
	if (write(full[1], data, sizeof(data)) != (ssize_t)sizeof(data))
		return fail("writer");
	return 0;
}

static int reader(void)
{
	char buf[64];

	if (read(empty[0], buf, sizeof(buf)) != 5 || memcmp(buf, "hello", 5))
		return fail("reader");
	return 0;
}

int main(int argc, char **argv)
{
	static char data[PIPE_BYTES], rest[WRITER_BYTES + 1];
	pid_t kids[2];
	int i;

	test_init(argc, argv);

	if (pipe(full) || pipe(empty) || fcntl(full[1], F_SETPIPE_SZ, PIPE_BYTES) != PIPE_BYTES)
		return pr_perror("pipe");
	pattern_fill(data, sizeof(data), 1);
	if (write_data(full[1], (unsigned char *)data, sizeof(data)))
		return pr_perror("write");
	for (i = 0; i < 2; i++) {
		kids[i] = test_fork();
		if (kids[i] < 0)
			return pr_perror("fork");
		if (kids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Nobody may hold an end that is not his: the ends of file below depend on it. */
		if (i == 0)
			_exit(close(full[0]) || close(empty[0]) || close(empty[1]) || writer());
		_exit(close(full[0]) || close(full[1]) || close(empty[1]) || reader());
	}
	close(full[1]);
	close(empty[0]);
	usleep(50000);
	if (!sleeps(kids[0]) || !sleeps(kids[1]))
		return pr_err("the children do not block\n");

	test_daemon();
	test_waitsig();

	if (waitpid(-1, NULL, WNOHANG) != 0)
		return fail("somebody did not stay blocked");
	memset(data, 0, sizeof(data));
	if (read_data(full[0], (unsigned char *)data, sizeof(data)) || pattern_bad(data, sizeof(data), 1) >= 0)
		return fail("content of the full pipe changed");
	if (kid_wait(kids[0]))
		return fail("writer");
	if (read(full[0], rest, sizeof(rest)) != WRITER_BYTES || pattern_bad(rest, WRITER_BYTES, 2) >= 0)
		return fail("what the writer added is wrong");
	if (read(full[0], rest, 1) != 0)
		return fail("a writer too many is left");
	if (write(empty[1], "hello", 5) != 5 || kid_wait(kids[1]))
		return fail("reader");

	pass();
	return 0;
}
