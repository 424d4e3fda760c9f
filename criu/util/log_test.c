#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "util/log.h"
#include "util/mem.h"
#include "util/test.h"

#define LOG_NAME "log"

static int dir_fd;
static char dir_name[] = "/tmp/criu-log-test-XXXXXX";
static char text[1 << 18];

/* What the log holds since the last call that opened it. */
static const char *read_log(void)
{
	auto_fd int fd = openat(dir_fd, LOG_NAME, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* The same with every "(log_test.c:123)" reduced to "(HERE)". */
static const char *read_log_without_lines(void)
{
	static char out[sizeof(text)];
	const char *p = read_log();
	char *o = out;

	while (*p) {
		if (!strncmp(p, "(log_test.c:", 12)) {
			o = stpcpy(o, "(HERE)");
			p = strchr(p, ')') + 1;
		} else {
			*o++ = *p++;
		}
	}
	*o = '\0';
	return out;
}

static void test_early(void)
{
	pr_warn("before the log: %d", 1);
	pr_info("not at this level");
	CHECK_STR(read_log(), "");
	CHECK_EQ(log_open(dir_fd, LOG_NAME), 0);
	CHECK_STR(read_log_without_lines(), "Warn  (HERE): before the log: 1\n");
}

static void nested(int fd)
{
	LOG_SCOPE("fd", fd);

	pr_warn("inner");
}

static void test_scopes(void)
{
	CHECK_EQ(log_open(dir_fd, LOG_NAME), 0);
	{
		LOG_SCOPE("task", 41);
		nested(7);
		LOG_SCOPE_HEX("mapping", 0x7f0000ULL);
		pr_warn("outer");
	}
	/* Of two tasks the inner one counts, and what is known already is said once. */
	{
		LOG_SCOPE("task", 41);
		nested(41);
		LOG_SCOPE("task", 42);
		pr_warn("task 42: twice");
		pr_warn("task 4: another");
	}
	pr_warn("none");
	CHECK_STR(read_log_without_lines(), "Warn  (HERE): task 41: fd 7: inner\n"
					    "Warn  (HERE): task 41: mapping 7f0000: outer\n"
					    "Warn  (HERE): task 41: fd 41: inner\n"
					    "Warn  (HERE): task 42: twice\n"
					    "Warn  (HERE): task 42: task 4: another\n"
					    "Warn  (HERE): none\n");
}

static void test_fail(void)
{
	CHECK_EQ(log_open(dir_fd, LOG_NAME), 0);
	CHECK_EQ(fail(EACCES, "cannot read the pipe"), -EACCES);
	CHECK(strstr(read_log(), "cannot read the pipe: Permission denied\n"));
	CHECK_STR(log_first_error(), read_log());
	/* A forgotten errno or a negative one is still a failure. */
	CHECK_EQ(fail(0, "nothing set"), -EIO);
	CHECK_EQ(fail(-ENOENT, "negative"), -ENOENT);
	errno = EBUSY;
	CHECK_EQ(fail_errno("busy"), -EBUSY);
	CHECK_EQ(errno, EBUSY);
	CHECK(strstr(log_first_error(), "cannot read the pipe"));
}

static void test_hostile_text(void)
{
	static char huge[100000];

	memset(huge, 'x', sizeof(huge) - 1);
	CHECK_EQ(log_open(dir_fd, LOG_NAME), 0);
	pr_warn("name \"a\nError (x.c:1): forged\033[2J\"\n\n");
	CHECK(strstr(read_log(), "name \"a?Error (x.c:1): forged?[2J\"\n"));
	CHECK_EQ(log_open(dir_fd, LOG_NAME), 0);
	pr_warn("%s", huge);
	CHECK(strstr(read_log(), ": xxx"));
	CHECK_EQ(strlen(strstr(text, ": xxx")), sizeof(huge) - 1 + strlen(": \n"));
	CHECK(text[strlen(text) - 1] == '\n');
	/* In pieces: scopes before it, the reason behind it. */
	{
		LOG_SCOPE("task", 41);
		auto_free char *whole = log_text("%s", huge);

		CHECK_EQ(log_open(dir_fd, LOG_NAME), 0);
		CHECK_EQ(fail(EACCES, "%s", huge), -EACCES);
		CHECK(strstr(read_log(), "task 41: xxx"));
		CHECK(strstr(text, "xxx: Permission denied\n"));
		CHECK_EQ(strlen(whole), sizeof(huge) - 1 + strlen("task 41: "));
	}
	log_hold_errors(true);
	CHECK_EQ(fail(EACCES, "%s", huge), -EACCES);
	{
		auto_free char *held = log_held_error();

		CHECK_EQ(strlen(held), sizeof(huge) - 1 + strlen(": Permission denied"));
	}
	log_hold_errors(false);
}

static void test_timestamps(void)
{
	long long seconds, us;

	log_set_level(LOG_DEBUG);
	CHECK_EQ(log_open(dir_fd, LOG_NAME), 0);
	pr_debug("detail");
	CHECK_EQ(sscanf(read_log(), "(%lld.%6lld) detail", &seconds, &us), 2);
	CHECK_EQ(seconds, 0);
	CHECK(strstr(text, ") detail\n"));
	log_set_level(9);
	CHECK_EQ(log_level(), LOG_DEBUG);
	log_set_level(-1);
	CHECK_EQ(log_level(), LOG_MSG);
	log_set_level(LOG_WARN);
}

static void test_file(void)
{
	struct stat st;

	CHECK_EQ(log_open(dir_fd, LOG_NAME), 0);
	CHECK(!fstatat(dir_fd, LOG_NAME, &st, 0));
	CHECK_EQ(st.st_mode & 07777, 0600);
	CHECK(!symlinkat("elsewhere", dir_fd, "link"));
	CHECK_EQ(log_open(dir_fd, "link"), -ELOOP);
	CHECK(faccessat(dir_fd, "elsewhere", F_OK, 0));
	unlinkat(dir_fd, "link", 0);
}

static void test_children(void)
{
	int bad = 0;
	char *line;

	CHECK_EQ(log_open(dir_fd, LOG_NAME), 0);
	for (int i = 0; i < 4; i++) {
		if (fork())
			continue;
		for (int j = 0; j < 50; j++)
			pr_warn("child %d line %d", i, j);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	read_log();
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		bad += strncmp(line, "Warn  (log_test.c:", 18) != 0;
	CHECK_EQ(bad, 0);
}

int main(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (!mkdtemp(dir_name))
		return 1;
	dir_fd = open(dir_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* Errors are repeated on stderr; here they are wanted. */
	dup2(null, STDERR_FILENO);
	test_early();
	test_scopes();
	test_fail();
	test_hostile_text();
	test_timestamps();
	test_file();
	test_children();
	log_close();
	unlinkat(dir_fd, LOG_NAME, 0);
	rmdir(dir_name);
	return test_end();
}
