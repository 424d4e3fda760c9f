#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void *shared_alloc(size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED) {
		pr_perror("mmap of %zu shared bytes", size);
		return NULL;
	}
	return mem;
}

int status_field(const char *task, const char *field, char *buf, int size)
{
	char path[64], text[8192], *pos, *end;

	if (ssprintf(path, "/proc/%s/status", task) || read_value(path, text, sizeof(text)))
		return -1;
	for (pos = text; pos; pos = strchr(pos, '\n')) {
		if (*pos == '\n')
			pos++;
		if (strncmp(pos, field, strlen(field)) || pos[strlen(field)] != ':')
			continue;
		pos += strlen(field) + 1;
		while (*pos == '\t' || *pos == ' ')
			pos++;
		end = strchrnul(pos, '\n');
		while (end > pos && isspace(end[-1]))
			end--;
		*end = 0;
		if (snprintf(buf, size, "%s", pos) < size)
			return 0;
		break;
	}
	pr_err("%s: no usable line %s\n", path, field);
	return -1;
}

int status_mask(const char *task, const char *field, uint64_t *ret)
{
	char buf[64], *end;

	if (status_field(task, field, buf, sizeof(buf)))
		return -1;
	*ret = strtoull(buf, &end, 16);
	if (*end) {
		pr_err("%s: %s is no mask: %s\n", task, field, buf);
		return -1;
	}
	return 0;
}

char task_state(pid_t tid)
{
	char path[64], buf[512], *end;
	int fd, n;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = 0;
	/* The name before it may contain anything. */
	end = strrchr(buf, ')');
	return end ? end[2] : 0;
}

int task_wait_state(pid_t tid, char state)
{
	int seen = 0, i;

	for (i = 0; i < 2000; i++) {
		seen = task_state(tid) == state ? seen + 1 : 0;
		if (seen == 4)
			return 0;
		usleep(5000);
	}
	pr_err("task %d is in state %c, not %c\n", tid, task_state(tid), state);
	return -1;
}

pid_t child_start(int (*set)(void), int (*check)(void))
{
	int ready[2];
	pid_t pid;
	char c;

	if (pipe(ready)) {
		pr_perror("pipe");
		return -1;
	}
	pid = test_fork();
	if (pid < 0) {
		pr_perror("fork");
		return -1;
	}
	if (!pid) {
		close(ready[0]);
		if (set && set())
			exit(1);
		if (write(ready[1], "", 1) != 1)
			exit(pr_perror("write"));
		close(ready[1]);
		test_waitsig();
		exit(check && check() ? 1 : 0);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		pr_err("child %d was not able to set up\n", pid);
		pid = -1;
	}
	close(ready[0]);
	return pid;
}

int child_reap(pid_t pid)
{
	int status;

	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) != pid)
		return pr_perror("waitpid %d", pid);
	if (status)
		return pr_err("child %d ended with wait status %#x\n", pid, status);
	return 0;
}

int child_finish(pid_t pid)
{
	if (kill(pid, SIGTERM))
		return pr_perror("kill %d", pid);
	return child_reap(pid);
}

static int verdict(int bad)
{
	errno = 0;
	if (bad)
		fail("the check failed");
	else
		pass();
	return bad;
}

int child_test(int argc, char **argv, int (*set)(void), int (*check)(void))
{
	pid_t pid;

	test_init(argc, argv);
	pid = child_start(set, check);
	if (pid < 0)
		return 1;
	test_daemon();
	test_waitsig();
	return verdict(child_finish(pid));
}

int self_test(int argc, char **argv, int (*set)(void), int (*check)(void))
{
	test_init(argc, argv);
	if (set && set())
		return 1;
	test_daemon();
	test_waitsig();
	return verdict(check());
}

int skipped_test(void)
{
	test_daemon();
	test_waitsig();
	pass();
	return 0;
}
