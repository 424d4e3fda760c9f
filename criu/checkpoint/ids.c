#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/stat.h>

#include "checkpoint/ids.h"
#include "kernel/syscalls.h"
#include "remote/watch.h"
#include "util/log.h"

/*
 * kcmp(2) orders the objects of two tasks, so each kind is a binary search
 * tree: n tasks cost n log n comparisons.
 */
struct node {
	pid_t pid;
	uint32_t id;
	struct node *less, *greater;
};

enum object {
	OBJECT_VM,
	OBJECT_FILES,
	OBJECT_FS,
	OBJECT_SIGHAND,
	OBJECTS_OF_IMAGE,
	OBJECT_SEMADJ = OBJECTS_OF_IMAGE,
	OBJECTS
};

static const struct {
	int kcmp_type;
	const char *name;
} objects[OBJECTS] = {
	[OBJECT_VM] = { KCMP_VM, "address space" },
	[OBJECT_FILES] = { KCMP_FILES, "descriptor table" },
	[OBJECT_FS] = { KCMP_FS, "working directory and umask" },
	[OBJECT_SIGHAND] = { KCMP_SIGHAND, "signal handlers" },
	[OBJECT_SEMADJ] = { KCMP_SYSVSEM, "semaphore adjustments" },
};

enum ns { NS_PID, NS_NET, NS_IPC, NS_UTS, NS_MNT, NS_USER, NS_CGROUP, NS_TIME, NAMESPACES };

/* What its children would be born into: differs from its own after an unshare(2). */
static const char *const ns_of_children[] = { "pid_for_children", "time_for_children" };

static const char *const ns_names[NAMESPACES] = {
	[NS_PID] = "pid", [NS_NET] = "net",   [NS_IPC] = "ipc",	      [NS_UTS] = "uts",
	[NS_MNT] = "mnt", [NS_USER] = "user", [NS_CGROUP] = "cgroup", [NS_TIME] = "time",
};

struct ids {
	struct arena *arena;
	struct node *trees[OBJECTS];
	uint32_t next_id[OBJECTS];
	ino_t own_ns[NAMESPACES];
	ino_t own_ns_of_children[ARRAY_SIZE(ns_of_children)];
};

struct ids *ids_new(void)
{
	struct ids *ids = xalloc(sizeof(*ids));

	ids->arena = arena_new();
	return ids;
}

void ids_free(struct ids *ids)
{
	arena_free(ids->arena);
	free(ids);
}

/* *ret_owner: the task that had the object first; @pid itself if it is new. */
static int find_id(struct ids *ids, enum object object, pid_t pid, uint32_t *ret_id, pid_t *ret_owner)
{
	struct node **place = &ids->trees[object];

	while (*place) {
		int order = sys_kcmp(pid, (*place)->pid, objects[object].kcmp_type, 0, 0);

		if (order < 0)
			return fail(-order, "task %d: cannot compare its %s with that of task %d", pid,
				    objects[object].name, (*place)->pid);
		if (!order) {
			*ret_id = (*place)->id;
			*ret_owner = (*place)->pid;
			return 0;
		}
		place = order == 1 ? &(*place)->less : &(*place)->greater;
	}
	*place = arena_new_of(ids->arena, struct node);
	(*place)->pid = pid;
	(*place)->id = *ret_id = ++ids->next_id[object];
	*ret_owner = pid;
	return 0;
}

/* 0: this kernel has no such namespace. */
static ino_t read_ns(int ns_dir, const char *name)
{
	struct stat st;

	return fstatat(ns_dir, name, &st, 0) ? 0 : st.st_ino;
}

static int open_ns_dir(pid_t pid, pid_t tid)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/ns", pid, tid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail_errno("cannot look into %s", path) : fd;
}

/* Tasks share all namespaces with us, so every namespace has the same id: its number in the enum. */
static void set_ns_ids(const struct ids *ids, TaskKobjIdsEntry *ret)
{
	const struct {
		protobuf_c_boolean *has;
		uint32_t *id;
	} fields[NAMESPACES] = {
		[NS_PID] = { &ret->has_pid_ns_id, &ret->pid_ns_id },
		[NS_NET] = { &ret->has_net_ns_id, &ret->net_ns_id },
		[NS_IPC] = { &ret->has_ipc_ns_id, &ret->ipc_ns_id },
		[NS_UTS] = { &ret->has_uts_ns_id, &ret->uts_ns_id },
		[NS_MNT] = { &ret->has_mnt_ns_id, &ret->mnt_ns_id },
		[NS_USER] = { &ret->has_user_ns_id, &ret->user_ns_id },
		[NS_CGROUP] = { &ret->has_cgroup_ns_id, &ret->cgroup_ns_id },
		[NS_TIME] = { &ret->has_time_ns_id, &ret->time_ns_id },
	};

	for (int ns = 0; ns < NAMESPACES; ns++) {
		*fields[ns].has = ids->own_ns[ns] != 0;
		*fields[ns].id = ids->own_ns[ns] ? ns + 1 : 0;
	}
}

int ids_of_self(struct ids *ids, TaskKobjIdsEntry *ret)
{
	auto_fd int dir = open_ns_dir(getpid(), getpid());

	if (dir < 0)
		return dir;
	for (int ns = 0; ns < NAMESPACES; ns++)
		ids->own_ns[ns] = read_ns(dir, ns_names[ns]);
	for (size_t i = 0; i < ARRAY_SIZE(ns_of_children); i++)
		ids->own_ns_of_children[i] = read_ns(dir, ns_of_children[i]);
	set_ns_ids(ids, ret);
	return 0;
}

static int check_namespaces(const struct ids *ids, pid_t pid, pid_t tid, struct refusals *refusals)
{
	auto_fd int dir = open_ns_dir(pid, tid);

	if (dir < 0)
		return dir;
	for (int ns = 0; ns < NAMESPACES; ns++)
		if (read_ns(dir, ns_names[ns]) != ids->own_ns[ns])
			refuse(refusals,
			       "thread %d: is in another %s namespace: not supported by this version; run criu inside",
			       tid, ns_names[ns]);
	for (size_t i = 0; i < ARRAY_SIZE(ns_of_children); i++)
		if (read_ns(dir, ns_of_children[i]) != ids->own_ns_of_children[i])
			refuse(refusals,
			       "thread %d: its next children would be in another namespace (%s): not supported; have "
			       "it go back with setns(2) before the dump",
			       tid, ns_of_children[i]);
	return 0;
}

/* pthreads share them with their leader; after an unshare(2) a thread has its own. */
static int check_thread(const struct remote_process *process, pid_t tid, struct refusals *refusals)
{
	static const enum object shared[] = { OBJECT_FILES, OBJECT_FS };

	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		int order = sys_kcmp(process->pid, tid, objects[shared[i]].kcmp_type, 0, 0);

		if (order < 0)
			return fail(-order, "thread %d: cannot compare its %s with that of its process", tid,
				    objects[shared[i]].name);
		if (order)
			refuse(refusals,
			       "thread %d: has a %s of its own: threads like that can't be dumped; wait for its end, "
			       "or "
			       "start the program without such threads (unshare(2), clone(2))",
			       tid, objects[shared[i]].name);
	}
	return 0;
}

int ids_of_process(struct ids *ids, const struct remote_process *process, TaskKobjIdsEntry *ret, bool *ret_new_files,
		   struct refusals *refusals)
{
	uint32_t *const fields[OBJECTS_OF_IMAGE] = {
		[OBJECT_VM] = &ret->vm_id,
		[OBJECT_FILES] = &ret->files_id,
		[OBJECT_FS] = &ret->fs_id,
		[OBJECT_SIGHAND] = &ret->sighand_id,
	};
	pid_t pid = process->pid;

	for (int object = 0; object < OBJECTS_OF_IMAGE; object++) {
		pid_t owner = pid;
		int err = find_id(ids, object, pid, fields[object], &owner);

		if (err)
			return err;
		if (object == OBJECT_FILES)
			*ret_new_files = owner == pid;
		if (owner != pid && (object == OBJECT_VM || object == OBJECT_SIGHAND))
			refuse(refusals,
			       "shares its %s with task %d: processes like that can't be dumped; wait until one of "
			       "them "
			       "has ended or executed a program",
			       objects[object].name, owner);
	}
	for (size_t i = 0; i < process->n_threads; i++) {
		pid_t tid = process->threads[i].tid;
		int err = i ? check_thread(process, tid, refusals) : 0;

		err = err ? err : check_namespaces(ids, pid, tid, refusals);
		if (err && !(i && watch_is_gone(process, tid)))
			return err;
	}
	set_ns_ids(ids, ret);
	return 0;
}

/* Ours stands for none at all, since we have none: made by fork(2), no thread besides, and no semop(2) so far. */
int ids_semadj_owner(struct ids *ids, pid_t tid, pid_t *ret_owner)
{
	uint32_t id;
	pid_t owner;
	int err = find_id(ids, OBJECT_SEMADJ, getpid(), &id, &owner);

	err = err ?: find_id(ids, OBJECT_SEMADJ, tid, &id, &owner);
	if (!err)
		*ret_owner = owner == getpid() ? 0 : owner;
	return err;
}
