#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "kernel/proc-owner.h"
#include "kernel/proc.h"
#include "util/mem.h"

static void note(struct proc_owners *owners, pid_t pid, const char *link)
{
	uint64_t ino;
	bool pipe;

	if (sscanf(link, "socket:[%" SCNu64 "]", &ino) == 1)
		pipe = false;
	else if (sscanf(link, "pipe:[%" SCNu64 "]", &ino) == 1)
		pipe = true;
	else
		return;
	if (!hash_get(&owners->first, ino, pipe))
		hash_put(&owners->first, ino, pipe, (void *)(intptr_t)pid);
}

static void look_at(struct proc_owners *owners, pid_t pid)
{
	int fd = proc_open(pid, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		close_fdp(&fd);
		return;
	}
	while ((entry = readdir(dir))) {
		char link[64];
		ssize_t n = readlinkat(fd, entry->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		note(owners, pid, link);
	}
	closedir(dir);
}

/* A dump is done by a child of the process that was started. */
static bool is_criu(pid_t pid)
{
	auto_fd int exe = proc_open(pid, "exe", O_PATH | O_CLOEXEC),
		    own = proc_open(getpid(), "exe", O_PATH | O_CLOEXEC);
	struct stat st, own_st;

	return pid == getpid() || (pid == getppid() && exe >= 0 && own >= 0 && !fstat(exe, &st) &&
				   !fstat(own, &own_st) && st.st_ino == own_st.st_ino && st.st_dev == own_st.st_dev);
}

void proc_owners_list(struct proc_owners *owners, const struct hash *skip)
{
	DIR *proc = owners->listed ? NULL : opendir("/proc");
	const struct dirent *entry;

	owners->listed = true;
	if (!proc)
		return;
	while ((entry = readdir(proc))) {
		const pid_t pid = atoi(entry->d_name);

		if (pid > 0 && !hash_get(skip, pid, 0) && !is_criu(pid))
			look_at(owners, pid);
	}
	closedir(proc);
}

pid_t proc_owner_of(const struct proc_owners *owners, uint64_t ino, bool pipe)
{
	return (intptr_t)hash_get(&owners->first, ino, pipe);
}

char *proc_owner_text(pid_t pid)
{
	auto_fd int fd = pid ? proc_open(pid, "comm", O_RDONLY | O_CLOEXEC) : -1;
	char comm[64];
	ssize_t n;

	if (!pid)
		return xstrdup("a process that /proc does not show");
	n = fd < 0 ? -1 : read(fd, comm, sizeof(comm));
	/* It ends with a newline. */
	return n > 0 ? xasprintf("process %d (%.*s)", pid, (int)n - 1, comm) : xasprintf("process %d", pid);
}

void proc_owners_free(struct proc_owners *owners)
{
	hash_free(&owners->first);
	owners->listed = false;
}
