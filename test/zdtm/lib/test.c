#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "lock.h"
#include "zdtmtst.h"

#define INPROGRESS ".inprogress"

char *pidfile;
TEST_OPTION(pidfile, string, "file for the pid of the test", 1);

char *outfile;
TEST_OPTION(outfile, string, "file for the output of the test", 1);

static futex_t sig_received;

/* The process that returned from test_init(). */
static pid_t test_pid;

/*
 * How test_daemon() reaches the starter. A page that children don't inherit
 * and that is unmapped afterwards: neither a descriptor nor a mapping of the
 * harness shows up in what is dumped. A signal would need permission.
 */
static futex_t *ready;

static void sigterm_handler(int sig)
{
	(void)sig;
	futex_set_and_wake(&sig_received, 1);
}

int test_go(void)
{
	return !futex_get(&sig_received);
}

void test_waitsig(void)
{
	futex_wait_while(&sig_received, 0);
}

int test_fork_id(int id)
{
	(void)id;
	return fork();
}

static void finish(void)
{
	char path[PATH_MAX];

	if (getpid() != test_pid)
		return;
	if (!ssprintf(path, "%s" INPROGRESS, outfile) && rename(path, outfile))
		pr_perror("rename %s", path);
	unlink(pidfile);
}

void test_log_init(const char *name, const char *suffix)
{
	char path[PATH_MAX];
	int fd;

	if (ssprintf(path, "%s%s", name, suffix))
		exit(1);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0644);
	if (fd < 0) {
		fprintf(stderr, "open %s: %m\n", path);
		exit(1);
	}
	if (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0) {
		fprintf(stderr, "dup2 %s: %m\n", path);
		exit(1);
	}
	if (fd > STDERR_FILENO)
		close(fd);
	setvbuf(stdout, NULL, _IONBF, 0);
	setvbuf(stderr, NULL, _IONBF, 0);
}

static void redirect_stdin(void)
{
	int fd = open("/dev/null", O_RDONLY);

	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0) {
		fprintf(stderr, "stdin from /dev/null: %m\n");
		exit(1);
	}
	if (fd > STDERR_FILENO)
		close(fd);
}

int write_pidfile(int pid)
{
	char path[PATH_MAX];
	int fd;

	if (ssprintf(path, "%s.tmp", pidfile))
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0) {
		fprintf(stderr, "open %s: %m\n", path);
		return -1;
	}
	fchmod(fd, 0666);
	if (dprintf(fd, "%d\n", pid) < 0 || close(fd) || rename(path, pidfile)) {
		fprintf(stderr, "write %s: %m\n", path);
		unlink(path);
		return -1;
	}
	return 0;
}

static void drop_privileges(void)
{
	const char *uid = getenv("ZDTM_UID"), *gid = getenv("ZDTM_GID");
	char *groups = getenv("ZDTM_GROUPS");
	gid_t list[NGROUPS_MAX];
	char *end;
	int n = 0;

	if (!uid || !gid)
		return;

	while (groups && n < NGROUPS_MAX) {
		list[n] = strtoul(groups, &end, 10);
		if (end == groups)
			break;
		n++;
		groups = end;
	}

	if (setgroups(n, list) || setgid(atoi(gid)) || setuid(atoi(uid))) {
		fprintf(stderr, "drop to uid %s gid %s: %m\n", uid, gid);
		exit(1);
	}
	/* Changing ids has cleared it; an undumpable test could not open its own /proc files. */
	if (prctl(PR_SET_DUMPABLE, 1)) {
		fprintf(stderr, "PR_SET_DUMPABLE: %m\n");
		exit(1);
	}
}

/* The test says that it is ready through this page, and only then lets go of it. */
static void await_unmapped(pid_t pid)
{
	futex_t seen;
	struct iovec to = { .iov_base = &seen, .iov_len = sizeof(seen) };
	struct iovec from = { .iov_base = ready, .iov_len = sizeof(seen) };
	int tries;

	for (tries = 0; tries < 1000 && process_vm_readv(pid, &to, 1, &from, 1, 0) > 0; tries++)
		usleep(1000);
}

/* Wait in the starter until the test is ready or dead. */
static void __attribute__((noreturn)) await_ready(pid_t pid)
{
	struct timespec tick = { .tv_nsec = 20 * 1000 * 1000 };
	int status;

	while (!futex_get(ready)) {
		pid_t ret = waitpid(pid, &status, WNOHANG);

		if (ret) {
			fprintf(stderr, "%s: the test ended before it was ready: %s %d\n", outfile,
				ret > 0 && WIFSIGNALED(status) ? "signal" : "status",
				ret > 0 && WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
			_exit(1);
		}
		sys_futex(&ready->raw.counter, FUTEX_WAIT, 0, &tick, NULL, 0);
	}
	await_unmapped(pid);
	_exit(write_pidfile(pid) ? 1 : 0);
}

static void setup_signals(void)
{
	struct sigaction sa = { .sa_handler = sigterm_handler };

	if (sigaction(SIGTERM, &sa, NULL) || signal(SIGCHLD, SIG_DFL) == SIG_ERR) {
		fprintf(stderr, "signal handling: %m\n");
		exit(1);
	}
}

void test_init(int argc, char **argv)
{
	pid_t pid;

	parseargs(argc, argv);
	if (getenv("ZDTM_NEWNS")) {
		fprintf(stderr, "ZDTM_NEWNS is set: this library has the host flavour only\n");
		exit(1);
	}
	drop_privileges();

	if (!access(outfile, F_OK)) {
		fprintf(stderr, "%s exists, remove it first\n", outfile);
		exit(1);
	}
	setup_signals();

	ready = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ready == MAP_FAILED) {
		fprintf(stderr, "mmap: %m\n");
		exit(1);
	}

	pid = fork();
	if (pid < 0) {
		fprintf(stderr, "fork: %m\n");
		exit(1);
	}
	if (pid)
		await_ready(pid);

	if (madvise(ready, PAGE_SIZE, MADV_DONTFORK) || setsid() < 0) {
		fprintf(stderr, "start of the test process: %m\n");
		exit(1);
	}
	redirect_stdin();
	test_log_init(outfile, INPROGRESS);
	test_pid = getpid();
	if (atexit(finish)) {
		pr_perror("atexit");
		exit(1);
	}
}

void test_ext_init(int argc, char **argv)
{
	parseargs(argc, argv);
	redirect_stdin();
	test_log_init(outfile, ".external");
}

void test_daemon(void)
{
	futex_t *f = ready;

	ready = NULL;
	futex_set_and_wake(f, 1);
	munmap(f, PAGE_SIZE);
}

static int notify_fd(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : -1;
}

int test_wait_pre_dump(void)
{
	unsigned char buf[4];

	if (read_data(notify_fd("ZDTM_NOTIFY_FDIN"), buf, sizeof(buf))) {
		pr_perror("read ZDTM_NOTIFY_FDIN");
		return -1;
	}
	return 0;
}

int test_wait_pre_dump_ack(void)
{
	static const unsigned char zero[4];

	if (write_data(notify_fd("ZDTM_NOTIFY_FDOUT"), zero, sizeof(zero))) {
		pr_perror("write ZDTM_NOTIFY_FDOUT");
		return -1;
	}
	return 0;
}
