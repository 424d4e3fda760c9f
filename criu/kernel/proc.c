#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "kernel/proc-scan.h"
#include "kernel/proc.h"
#include "util/log.h"

#define PROC_PATH_BYTES 128
#define READ_BYTES	16384

static void proc_path(char path[PROC_PATH_BYTES], pid_t pid, const char *name)
{
	snprintf(path, PROC_PATH_BYTES, "/proc/%d/%s", pid, name);
}

/* The directory of the process, or of the thread if @name is one of its files. */
static void task_dir(char path[PROC_PATH_BYTES], pid_t pid, const char *name)
{
	char *slash;

	proc_path(path, pid, strncmp(name, "task/", 5) ? "" : name);
	slash = strrchr(path, '/');
	*slash = '\0';
}

/*
 * A task that is gone answers ESRCH to a read and ENOENT to an open; the
 * latter may also mean that only this file does not exist.
 */
static int gone_or(pid_t pid, const char *name, int err)
{
	char path[PROC_PATH_BYTES];

	if (err == ENOENT) {
		task_dir(path, pid, name);
		if (access(path, F_OK))
			return ESRCH;
	}
	return err;
}

/* That a task has ended is for the caller to judge; everything else is an error. */
static int proc_fail(pid_t pid, const char *verb, const char *name, int err)
{
	err = gone_or(pid, name, err);
	if (err == ESRCH) {
		pr_debug("process %d has ended: cannot %s %s", pid, verb, name);
		return -ESRCH;
	}
	return fail(err, "cannot %s /proc/%d/%s", verb, pid, name);
}

int proc_open(pid_t pid, const char *name, int flags)
{
	char path[PROC_PATH_BYTES];
	int fd;

	proc_path(path, pid, name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -gone_or(pid, name, errno) : fd;
}

int proc_read_mem(pid_t pid, uint64_t addr, void *buf, size_t bytes)
{
	auto_fd int fd = proc_open(pid, "mem", O_RDONLY);

	if (fd < 0)
		return fd;
	for (size_t done = 0; done < bytes;) {
		ssize_t n = pread(fd, (char *)buf + done, bytes - done, (off_t)(addr + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	return 0;
}

int proc_read_link(pid_t pid, const char *name, char **ret)
{
	char path[PROC_PATH_BYTES];
	char target[2 * PATH_MAX];
	ssize_t n;

	proc_path(path, pid, name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return proc_fail(pid, "read the link", name, errno);
	target[n] = '\0';
	*ret = xstrdup(target);
	return 0;
}

int proc_read_file(pid_t pid, const char *name, char **ret, size_t *ret_bytes)
{
	auto_fd int fd = proc_open(pid, name, O_RDONLY);
	auto_free char *text = NULL;
	size_t cap = READ_BYTES;
	size_t bytes = 0;
	ssize_t n;

	if (fd < 0)
		return proc_fail(pid, "open", name, -fd);
	text = xrealloc(NULL, cap);
	while ((n = read(fd, text + bytes, cap - 1 - bytes)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return proc_fail(pid, "read", name, errno);
		bytes += n;
		if (cap - 1 - bytes < READ_BYTES / 2) {
			cap *= 2;
			text = xrealloc(text, cap);
		}
	}
	text[bytes] = '\0';
	*ret = take_ptr(text);
	if (ret_bytes)
		*ret_bytes = bytes;
	return 0;
}

static void close_dirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static int *sorted(int *data, size_t n)
{
	if (n)
		qsort(data, n, sizeof(*data), compare_ints);
	return data;
}

/* Names of /proc/PID/@name that are numbers, sorted. */
static int list_numbers(pid_t pid, const char *name, fd_list *ret)
{
	cleanup_with(close_dirp) DIR *dir = NULL;
	char path[PROC_PATH_BYTES];
	fd_list list = { 0 };
	struct dirent *entry;

	proc_path(path, pid, name);
	dir = opendir(path);
	if (!dir)
		return proc_fail(pid, "open", name, errno);
	while ((errno = 0, entry = readdir(dir))) {
		const char *end;
		int number;

		end = scan_int(entry->d_name, &number);
		if (end && !*end)
			VEC_PUSH(&list, number);
	}
	if (errno) {
		VEC_FREE(&list);
		return proc_fail(pid, "list", name, errno);
	}
	sorted(list.data, list.n);
	*ret = list;
	return 0;
}

int proc_list_fds(pid_t pid, fd_list *ret)
{
	/* The same numbers as in fd, and whoever reads fdinfo next finds its entries made. */
	return list_numbers(pid, "fdinfo", ret);
}

int proc_list_threads(pid_t pid, pid_list *ret)
{
	fd_list list;
	int err = list_numbers(pid, "task", &list);

	if (err)
		return err;
	*ret = (pid_list){ .data = list.data, .n = list.n, .cap = list.cap };
	return 0;
}

static int add_children(pid_t pid, pid_t tid, pid_list *children)
{
	auto_free char *text = NULL;
	char name[64];
	const char *p;
	int err;

	snprintf(name, sizeof(name), "task/%d/children", tid);
	err = proc_read_file(pid, name, &text, NULL);
	if (err)
		return err;
	for (p = skip_blanks(text); *p && *p != '\n'; p = skip_blanks(p)) {
		int child;

		p = scan_int(p, &child);
		if (!p || child <= 0)
			return fail(EINVAL, "malformed /proc/%d/%s: %s", pid, name, text);
		VEC_PUSH(children, child);
	}
	return 0;
}

static int list_children_end(pid_list *children, int err, pid_list *ret)
{
	if (err) {
		VEC_FREE(children);
		return err;
	}
	sorted(children->data, children->n);
	*ret = *children;
	return 0;
}

int proc_list_children(pid_t pid, pid_list *ret)
{
	pid_list threads, children = { 0 };
	int err = proc_list_threads(pid, &threads);

	if (err)
		return err;
	for (size_t i = 0; i < threads.n && !err; i++) {
		err = add_children(pid, threads.data[i], &children);
		/* A thread that ends meanwhile has handed its children to another one. */
		if (err == -ESRCH && threads.data[i] != pid)
			err = 0;
	}
	VEC_FREE(&threads);
	return list_children_end(&children, err, ret);
}

int proc_list_main_children(pid_t pid, pid_list *ret)
{
	pid_list children = { 0 };

	return list_children_end(&children, add_children(pid, pid, &children), ret);
}

bool proc_read_boot_id(char ret[PROC_BOOT_ID_BYTES])
{
	auto_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, PROC_BOOT_ID_BYTES - 1);

	if (n <= 0)
		return false;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return true;
}
