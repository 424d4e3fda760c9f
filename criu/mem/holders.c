/*
 * Outsiders run while we look, so anything may vanish between two calls; what is gone holds nothing.
 * The text of maps and of descriptor links only says where to look closer: whether it is one of our
 * objects is decided by the inode behind it. A link without a text, which is what the kernel gives for a path of
 * more than 4095 bytes, is always looked at.
 *
 * The threads of a process have one table of descriptors, unless one made its own (unshare(2) with CLONE_FILES), which
 * /proc/PID/fd does not show, but /proc/PID/task/TID/fd.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>

#include "kernel/path.h"
#include "kernel/proc.h"
#include "kernel/syscalls.h"
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

/* Flags of one mapping after the other. The file is in order of addresses, as maps is: one pass answers for all. */
struct smaps {
	FILE *file;
	char *line;
	size_t cap;
	uint64_t start, end; /* of the mapping it came to; 0: of none yet */
	bool may_write;
};

struct outsider {
	pid_t pid;
	pid_t via; /* the thread through which /proc shows what it has */
	bool denied;
	bool known; /* the fields below are filled */
	bool ours;  /* this process or a descendant of it; or a running tree's, forked since that was listed */
	uint64_t start_time;
	char comm[64];
	struct smaps smaps;
};

static bool text_may_be_object(const char *text)
{
	static const char *const marks[] = {
		PATH_DELETED_SUFFIX, "/memfd:", "/SYSV",
		"[anon_shmem:", /* "/dev/zero (deleted)", but for PR_SET_VMA_ANON_NAME */
	};
	size_t len = strcspn(text, "\n");

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strstr(text, marks[i]))
			return true;
	/* Just "/": opened by file handle when no name was in memory; so it stays when the last name goes. */
	return len && text[len - 1] == '/' && (len == 1 || text[len - 2] == ' ');
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

/* What has vanished holds nothing; what can't be looked at for other reasons may. */
static void note_failure(struct outsider *who, int err)
{
	who->denied |= err != ENOENT && err != ESRCH;
}

/* NULL: errno tells why. */
static FILE *open_text(pid_t pid, const char *name)
{
	auto_fd int fd = proc_open(pid, name, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (file)
		take_fd(&fd);
	else if (fd < 0)
		errno = -fd;
	return file;
}

static bool smaps_next(struct smaps *smaps)
{
	unsigned long long start, end;

	while (getline(&smaps->line, &smaps->cap, smaps->file) > 0) {
		if (!strncmp(smaps->line, "VmFlags:", 8)) {
			smaps->may_write = strstr(smaps->line, " mw") != NULL;
			return true;
		}
		/* Addresses have small letters, keys begin with a capital one. */
		if ((*smaps->line < 'A' || *smaps->line > 'Z') && sscanf(smaps->line, "%llx-%llx", &start, &end) == 2) {
			smaps->start = start;
			smaps->end = end;
		}
	}
	return false;
}

/* Was it mapped from a descriptor open for writing? To be asked in order of addresses. If nobody knows: yes. */
static bool may_become_writable(struct outsider *who, const struct outside_holder *found)
{
	struct smaps *smaps = &who->smaps;

	if (!smaps->file)
		smaps->file = open_text(who->via, "smaps");
	if (!smaps->file)
		return true;
	while (smaps->start < found->start)
		if (!smaps_next(smaps))
			return true;
	return smaps->start != found->start || smaps->end != found->end || smaps->may_write;
}

static void smaps_close(struct smaps *smaps)
{
	if (smaps->file)
		fclose(smaps->file);
	free(smaps->line);
	*smaps = (struct smaps){ 0 };
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
	found.write = found.mapped_shared && (found.access[1] == 'w' || may_become_writable(who, &found));
	add_holder(scan, who, &found);
}

/* False: /proc shows no mapping at all. */
static bool scan_maps(struct scan *scan, struct outsider *who)
{
	auto_fd int map_files = proc_open(who->via, "map_files", O_PATH | O_DIRECTORY | O_CLOEXEC);
	FILE *maps = open_text(who->via, "maps");
	auto_free char *line = NULL;
	size_t cap = 0, n = 0;

	if (!maps) {
		note_failure(who, errno);
		return true;
	}
	for (; getline(&line, &cap, maps) > 0; n++)
		if (text_may_be_object(line) || (scan->of == HOLDERS_OF_SHARED && is_shared_mapping(line)))
			scan_map_line(scan, who, map_files, line);
	fclose(maps);
	smaps_close(&who->smaps);
	return n;
}

static void describe_access(const struct outsider *who, pid_t tid, struct outside_holder *found)
{
	auto_fd int fd = -1;
	char path[64], text[256], *flags;
	unsigned int value = 0;
	ssize_t n;

	strcpy(found->access, "?");
	found->write = true;
	snprintf(path, sizeof(path), "task/%d/fdinfo/%d", tid, found->fd);
	fd = proc_open(who->pid, path, O_RDONLY | O_CLOEXEC);
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

/* readlink first: stat on a dead network file would hang. */
static bool link_may_be_object(int dir_fd, const char *name)
{
	char link[PATH_MAX + 32];
	ssize_t n = readlinkat(dir_fd, name, link, sizeof(link) - 1);

	if (n < 0)
		return errno != ENOENT && errno != ESRCH;
	link[n] = '\0';
	return text_may_be_object(link);
}

/* False: it can't be looked at. */
static bool scan_fds(struct scan *scan, struct outsider *who, pid_t tid)
{
	struct dirent *entry;
	char path[32];
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "task/%d/fd", tid);
	fd = proc_open(who->pid, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		note_failure(who, fd < 0 ? -fd : errno);
		close_fdp(&fd);
		return false;
	}
	while ((entry = readdir(dir))) {
		struct outside_holder found = { .tid = tid == who->pid ? 0 : tid };

		if (entry->d_name[0] == '.' || !link_may_be_object(fd, entry->d_name))
			continue;
		found.inode = find_object(scan, who, fd, entry->d_name);
		if (!found.inode)
			continue;
		found.fd = atoi(entry->d_name);
		describe_access(who, tid, &found);
		add_holder(scan, who, &found);
	}
	closedir(dir);
	return true;
}

/*
 * Is the table of @tid none of @tables? Then it is added. They are in the order that kcmp(2) tells, so that a thousand
 * different ones don't take a million questions. A thread that ended meanwhile counts as different: little is read twice.
 */
static bool add_table(pid_list *tables, pid_t tid)
{
	size_t low = 0, high = tables->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = sys_kcmp(tables->data[middle], tid, KCMP_FILES, 0, 0);

		if (!order)
			return false;
		if (order == 1)
			low = middle + 1;
		else
			high = middle;
	}
	VEC_PUSH(tables, tid);
	memmove(&tables->data[low + 1], &tables->data[low], (tables->n - 1 - low) * sizeof(tid));
	tables->data[low] = tid;
	return true;
}

static void scan_tables(struct scan *scan, struct outsider *who)
{
	pid_list threads = { 0 }, tables = { 0 };
	int err;

	if (!scan_fds(scan, who, who->via))
		return;
	err = proc_list_threads(who->pid, &threads);
	if (err) {
		note_failure(who, -err);
		return;
	}
	VEC_PUSH(&tables, who->via);
	for (size_t i = 0; i < threads.n; i++)
		if (threads.data[i] != who->via && add_table(&tables, threads.data[i]))
			scan_fds(scan, who, threads.data[i]);
	VEC_FREE(&threads);
	VEC_FREE(&tables);
}

/* A thread that lives where the main thread has ended; 0: there is none, as in a kernel thread or a zombie. */
static pid_t living_thread(pid_t pid)
{
	pid_list threads = { 0 };
	struct proc_stat stat;
	pid_t found = 0;

	if (proc_list_threads(pid, &threads))
		return 0;
	for (size_t i = 0; !found && i < threads.n; i++)
		if (threads.data[i] != pid && read_stat(threads.data[i], &stat) && stat.state != 'Z' &&
		    stat.state != 'X')
			found = threads.data[i];
	VEC_FREE(&threads);
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
	scan_tables(scan, who);
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
		pr_warn("%zu processes (%d is one) can't be examined: whether they share memory with the tree is not "
			"known",
			scan.n_denied, scan.denied);
	return 0;
}

static char *holder_text(const struct outside_holder *holder)
{
	auto_free char *thread = holder->tid ? xasprintf(" thread %d", holder->tid) : xstrdup("");

	if (holder->fd >= 0)
		return xasprintf("%d (%s)%s fd %d %s", holder->pid, holder->comm, thread, holder->fd, holder->access);
	return xasprintf("%d (%s) %llx-%llx %s", holder->pid, holder->comm, (unsigned long long)holder->start,
			 (unsigned long long)holder->end, holder->access);
}

char *holders_text(const struct outside_holder *holders, size_t n)
{
	VEC(char) text = { 0 };

	for (size_t i = 0; i < n; i++) {
		auto_free char *one = holder_text(&holders[i]);

		for (const char *c = i ? "; " : ""; *c; c++)
			VEC_PUSH(&text, *c);
		for (const char *c = one; *c; c++)
			VEC_PUSH(&text, *c);
	}
	VEC_PUSH(&text, '\0');
	return text.data;
}
