/*
 * Outsiders run while we look, so anything may vanish between two calls; what is gone holds nothing.
 * The text of maps and of descriptor links only says where to look closer: whether it is one of our
 * objects is decided by the inode behind it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>

#include "kernel/path.h"
#include "kernel/proc.h"
#include "mem/holders.h"
#include "util/log.h"

struct scan {
	const struct inodes *inodes;
	enum holders_of of;
	struct hash tree; /* pid -> itself */
	bool watched;	  /* the tree runs on */
	outside_holders *ret;
	size_t n_denied; /* processes that could not be looked into */
	pid_t denied;	 /* one of them */
};

struct outsider {
	pid_t pid;
	pid_t via; /* the thread through which /proc shows what it has */
	bool denied;
	bool known; /* the fields below are filled */
	bool ours;  /* this process or a descendant of it; or a running tree's, forked since that was listed */
	uint64_t start_time;
	char comm[64];
};

static bool text_may_be_object(const char *text)
{
	static const char *const marks[] = {
		PATH_DELETED_SUFFIX, "/memfd:", "/SYSV",
		"[anon_shmem:", /* "/dev/zero (deleted)", but for PR_SET_VMA_ANON_NAME */
	};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strstr(text, marks[i]))
			return true;
	return false;
}

/* Quiet: a process that ended meanwhile is not worth a line. */
static bool read_stat(pid_t pid, struct proc_stat *ret)
{
	auto_fd int fd = proc_open(pid, "stat", O_RDONLY | O_CLOEXEC);
	char text[2048];
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return !proc_parse_stat(text, ret);
}

static bool is_forked_since(const struct scan *scan, const struct proc_stat *stat)
{
	return scan->watched && hash_get(&scan->tree, stat->ppid, 0);
}

/* Asked only about the few processes that do hold something. */
static void know(const struct scan *scan, struct outsider *who)
{
	struct proc_stat stat;
	pid_t pid = who->pid;

	if (who->known || !read_stat(pid, &stat))
		return;
	who->known = true;
	who->start_time = stat.start_time;
	snprintf(who->comm, sizeof(who->comm), "%s", stat.comm);
	while (stat.ppid > 1 && stat.ppid != getpid() && !is_forked_since(scan, &stat))
		if (!read_stat(stat.ppid, &stat))
			return;
	who->ours = stat.ppid == getpid() || is_forked_since(scan, &stat);
}

static void add_holder(struct scan *scan, struct outsider *who, const struct outside_holder *found)
{
	struct outside_holder *holder;

	know(scan, who);
	if (who->ours || !who->known)
		return;
	holder = VEC_ADD(scan->ret);
	*holder = *found;
	holder->pid = who->pid;
	holder->start_time = who->start_time;
	memcpy(holder->comm, who->comm, sizeof(holder->comm));
}

/* The inode of ours that @dir_fd/@name leads to, or NULL. */
static const struct inode *find_object(const struct scan *scan, struct outsider *who, int dir_fd, const char *name)
{
	auto_fd int fd = -1;
	struct inode *inode;
	struct stat st;

	if (fstatat(dir_fd, name, &st, 0)) {
		who->denied |= errno == EPERM || errno == EACCES;
		return NULL;
	}
	if (!hash_get(&scan->inodes->by_number, st.st_dev, st.st_ino))
		return NULL;
	fd = openat(dir_fd, name, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return NULL;
	inode = inode_get(scan->inodes, fd, &st);
	if (inode && (inode->unlinked || (scan->of == HOLDERS_OF_SHARED && inode->mapped_shared)))
		return inode;
	return NULL;
}

/* Was it mapped from a descriptor open for writing? Asked of few mappings, since smaps is slow to read. */
static bool may_become_writable(pid_t pid, const char *range)
{
	int fd = proc_open(pid, "smaps", O_RDONLY | O_CLOEXEC);
	FILE *smaps = fd < 0 ? NULL : fdopen(fd, "r");
	auto_free char *line = NULL;
	bool here = false, writable = true;
	size_t cap = 0, len = strlen(range);

	if (!smaps) {
		close_fdp(&fd);
		return true;
	}
	while (getline(&line, &cap, smaps) > 0) {
		if (here && !strncmp(line, "VmFlags:", 8)) {
			writable = strstr(line, " mw") != NULL;
			break;
		}
		here |= !strncmp(line, range, len) && line[len] == ' ';
	}
	fclose(smaps);
	return writable;
}

static bool is_shared_mapping(const char *line)
{
	const char *access = strchr(line, ' ');

	return access && strlen(access) > 5 && access[4] == 's';
}

static void scan_map_line(struct scan *scan, struct outsider *who, int map_files, const char *line)
{
	struct outside_holder found = { .fd = -1 };
	unsigned long long start, end;
	char name[64];

	if (sscanf(line, "%llx-%llx %4s", &start, &end, found.access) != 3)
		return;
	/* As map_files has it; maps pads to 8 digits. */
	snprintf(name, sizeof(name), "%llx-%llx", start, end);
	found.inode = find_object(scan, who, map_files, name);
	if (!found.inode)
		return;
	found.start = start;
	found.end = end;
	found.mapped_shared = found.access[3] == 's';
	snprintf(name, sizeof(name), "%08llx-%08llx", start, end);
	found.write = found.mapped_shared && (found.access[1] == 'w' || may_become_writable(who->via, name));
	add_holder(scan, who, &found);
}

/* False: /proc shows no mapping at all. */
static bool scan_maps(struct scan *scan, struct outsider *who)
{
	auto_fd int map_files = proc_open(who->via, "map_files", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = proc_open(who->via, "maps", O_RDONLY | O_CLOEXEC);
	auto_free char *line = NULL;
	size_t cap = 0, n = 0;
	FILE *maps;

	who->denied |= fd == -EPERM || fd == -EACCES;
	if (fd < 0)
		return true;
	maps = fdopen(fd, "r");
	if (!maps) {
		close(fd);
		return true;
	}
	for (; getline(&line, &cap, maps) > 0; n++)
		if (text_may_be_object(line) || (scan->of == HOLDERS_OF_SHARED && is_shared_mapping(line)))
			scan_map_line(scan, who, map_files, line);
	fclose(maps);
	return n;
}

static void describe_access(const struct outsider *who, struct outside_holder *found)
{
	auto_fd int fd = -1;
	char path[64], text[256], *flags;
	unsigned int value = 0;
	ssize_t n;

	strcpy(found->access, "?");
	found->write = true;
	snprintf(path, sizeof(path), "fdinfo/%d", found->fd);
	fd = proc_open(who->via, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return;
	text[n] = '\0';
	flags = strstr(text, "flags:");
	if (!flags || sscanf(flags, "flags: %o", &value) != 1)
		return;
	found->write = (value & O_ACCMODE) != O_RDONLY;
	strcpy(found->access, inode_fd_access(value & ~O_PATH));
}

static void scan_fds(struct scan *scan, struct outsider *who)
{
	int fd = proc_open(who->via, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		struct outside_holder found = { 0 };
		char link[PATH_MAX + 32];
		ssize_t n;

		if (entry->d_name[0] == '.')
			continue;
		/* readlink first: stat on a dead network file would hang. */
		n = readlinkat(fd, entry->d_name, link, sizeof(link) - 1);
		if (n < 0)
			continue;
		link[n] = '\0';
		if (!text_may_be_object(link))
			continue;
		found.inode = find_object(scan, who, fd, entry->d_name);
		if (!found.inode)
			continue;
		found.fd = atoi(entry->d_name);
		describe_access(who, &found);
		add_holder(scan, who, &found);
	}
	closedir(dir);
}

/* A thread that lives where the main thread has ended; 0: there is none, as in a kernel thread or a zombie. */
static pid_t living_thread(pid_t pid)
{
	int fd = proc_open(pid, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct proc_stat stat;
	pid_t found = 0;

	if (!dir) {
		close_fdp(&fd);
		return 0;
	}
	while (!found && (entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid > 0 && tid != pid && read_stat(tid, &stat) && stat.state != 'Z' && stat.state != 'X')
			found = tid;
	}
	closedir(dir);
	return found;
}

static void scan_outsider(struct scan *scan, struct outsider *who)
{
	who->via = who->pid;
	if (!scan_maps(scan, who)) {
		who->via = living_thread(who->pid);
		if (!who->via)
			return;
		scan_maps(scan, who);
	}
	scan_fds(scan, who);
}

int holders_find_outside(const struct inodes *inodes, const struct remote_tree *tree, enum holders_of of,
			 outside_holders *ret)
{
	struct scan scan = {
		.inodes = inodes,
		.of = of,
		.watched = tree->n && tree->processes[0]->watched,
		.ret = ret,
	};
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return fail_errno("/proc: open, to look for other holders of shared memory");
	for (size_t i = 0; i < tree->n; i++)
		hash_put(&scan.tree, tree->processes[i]->pid, 0, tree->processes[i]);
	while ((entry = readdir(proc))) {
		struct outsider who = { .pid = atoi(entry->d_name) };

		if (who.pid <= 0 || who.pid == getpid() || hash_get(&scan.tree, who.pid, 0))
			continue;
		scan_outsider(&scan, &who);
		if (who.denied) {
			scan.n_denied++;
			scan.denied = who.pid;
		}
	}
	closedir(proc);
	hash_free(&scan.tree);
	if (scan.n_denied)
		pr_warn("%zu processes (%d is one) may not be examined: whether they share memory with the tree is not "
			"known",
			scan.n_denied, scan.denied);
	return 0;
}
