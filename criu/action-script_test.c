#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "action-script.h"
#include "util/log.h"
#include "util/test.h"

static char text[8192];

static void write_script(const char *name, const char *body)
{
	auto_fd int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	CHECK(fd >= 0 && dprintf(fd, "#!/bin/sh\n%s\n", body) > 0);
}

static const char *read_log(void)
{
	auto_fd int fd = open("log", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void test_environment(struct options *options)
{
	char expected[256];

	write_script("one", "echo one $CRTOOLS_SCRIPT_ACTION $CRTOOLS_IMAGE_DIR $CRTOOLS_INIT_PID $#;"
			    "ls /proc/self/fd | wc -w");
	write_script("two", "echo two ${CRTOOLS_INIT_PID-unset} >&2; read x || echo no stdin");
	CHECK_EQ(log_open(AT_FDCWD, "log"), 0);
	VEC_PUSH(&options->action_scripts, "./one");
	CHECK_EQ(action_scripts_run(options, "post-dump", 9, 77), 0);
	/* Descriptors of ls: stdout, stderr and the directory it reads. */
	snprintf(expected, sizeof(expected), "one post-dump /proc/%d/fd/9 77 0\n3\n", getpid());
	CHECK_STR(read_log(), expected);

	CHECK_EQ(log_open(AT_FDCWD, "log"), 0);
	setenv("CRTOOLS_INIT_PID", "5", 1);
	VEC_PUSH(&options->action_scripts, "./two");
	CHECK_EQ(action_scripts_run(options, "pre-restore", -1, 0), 0);
	CHECK(strstr(read_log(), "two unset\n") == text);
	CHECK(strstr(text, "no stdin\none pre-restore 0\n"));
}

static void test_failure(struct options *options)
{
	write_script("two", "exit 3");
	CHECK_EQ(log_open(AT_FDCWD, "log"), 0);
	CHECK_EQ(action_scripts_run(options, "pre-dump", -1, 0), -ECANCELED);
	CHECK(strstr(read_log(), "action script ./two at pre-dump: exit status 3\n"));
	CHECK(strstr(text, "one pre-dump"));

	write_script("two", "kill -9 $$");
	CHECK_EQ(action_scripts_run(options, "pre-dump", -1, 0), -ECANCELED);
	CHECK(strstr(read_log(), "killed by signal 9"));

	unlink("two");
	CHECK_EQ(action_scripts_run(options, "pre-dump", -1, 0), -ECANCELED);
	CHECK(strstr(read_log(), "cannot execute the action script ./two: No such file"));
}

int main(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	char dir[] = "/tmp/criu-action-test-XXXXXX";
	struct options options = { 0 };

	if (!mkdtemp(dir) || chdir(dir))
		return 1;
	/* Errors are repeated on stderr; here they are wanted. */
	dup2(null, STDERR_FILENO);
	test_environment(&options);
	test_failure(&options);
	log_close();
	options_free(&options);
	unlink("one");
	unlink("log");
	rmdir(dir);
	return test_end();
}
