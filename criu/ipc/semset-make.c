/*
 * The adjustments come last of all: from that moment on the death of a puppet changes semaphores, as that of the task
 * would. A call of semop(2) by the puppet itself does it, which also makes it the last operator, as it was. So does the
 * call that gives a semaphore the value of the dump again. Were it criu's, and criu killed before the end, the
 * next restore would take it for a stranger's.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "ipc/semops.h"
#include "ipc/semset.h"
#include "kernel/proc.h"
#include "kernel/sysvipc.h"
#include "remote/call.h"
#include "util/log.h"

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

#define TRIES 50 /* while others change a semaphore's value */

union semun {
	int val;
	struct semid_ds *ds;
	unsigned short *array;
};

/* What a task is to do to a semaphore; adjust 0: only to be the last operator. */
struct replay {
	pid_t pid;
	int id;
	unsigned short num;
	int adjust;
	int from, to; /* change the value first, if it is still that; to -1: leave it */
};

struct semsets_restore {
	VEC(struct replay) replays;
};

/* --- what is there ------------------------------------------------------------------ */

enum found {
	FOUND_NOTHING, /* the id is free */
	FOUND_SAME,
	FOUND_OTHER,
};

/* Its time of change moves with every SETVAL, so it may only be later. */
static bool is_same(const SysvSemEntry *entry, const struct semid_ds *ds)
{
	const IpcDescEntry *desc = entry->sem->desc;
	const struct ipc_perm *perm = &ds->sem_perm;
	char boot_id[PROC_BOOT_ID_BYTES];

	if (!entry->boot_id || !proc_read_boot_id(boot_id) || strcmp(entry->boot_id, boot_id))
		return false;
	return (uint32_t)perm->__key == desc->key && perm->cuid == desc->cuid && perm->cgid == desc->cgid &&
	       ds->sem_nsems == entry->sem->nsems && ds->sem_ctime >= entry->ctime;
}

/* Whatever has the id, or its place in the kernel's table: *ret_id is then the id it has. */
static enum found look_up(const SysvSemEntry *entry, int *ret_id, struct semid_ds *ret)
{
	*ret_id = semctl((int)entry->sem->desc->id, 0, SEM_STAT_ANY, (union semun){ .ds = ret });
	if (*ret_id < 0)
		return FOUND_NOTHING;
	return (uint32_t)*ret_id == entry->sem->desc->id && is_same(entry, ret) ? FOUND_SAME : FOUND_OTHER;
}

/* ENOENT is the one answer that means that nobody has the key. */
static int check_key(const IpcDescEntry *desc)
{
	int id;

	if (desc->key == IPC_PRIVATE)
		return 0;
	id = semget((key_t)desc->key, 0, 0);
	if (id >= 0)
		return fail(EEXIST,
			    "its key %#x belongs to set %d now; remove that one first, if nobody needs it (ipcrm -s "
			    "%d)",
			    desc->key, id, id);
	return errno == ENOENT ? 0 : fail_errno("its key %#x belongs to another set", desc->key);
}

static int check_set(const SysvSemEntry *entry)
{
	struct semid_ds ds;
	int id;

	LOG_SCOPE("System V semaphore set", entry->sem->desc->id);
	switch (look_up(entry, &id, &ds)) {
	case FOUND_SAME:
		return 0;
	case FOUND_OTHER:
		return fail(EEXIST,
			    "its place is taken by set %d (key %#x, %lu semaphores, made by user %u); remove that one "
			    "first, if nobody needs it (ipcrm -s %d)",
			    id, (uint32_t)ds.sem_perm.__key, (unsigned long)ds.sem_nsems, ds.sem_perm.cuid, id);
	case FOUND_NOTHING:
		break;
	}
	return check_key(entry->sem->desc);
}

int semsets_check(const struct model *model)
{
	int err = 0;

	for (size_t i = 0; i < model->sysv_sems.n && !err; i++)
		err = check_set(model->sysv_sems.data[i]);
	return err;
}

/* --- a new one ------------------------------------------------------------------------ */

static int get(const void *arg)
{
	const IpcSemEntry *sem = arg;
	int id = semget((key_t)sem->desc->key, (int)sem->nsems, IPC_CREAT | IPC_EXCL | (int)(sem->desc->mode & 0777));

	return id < 0 ? -errno : id;
}

static int create(const IpcSemEntry *sem)
{
	const IpcDescEntry *desc = sem->desc;
	int id, err = sysvipc_next_id(SYSVIPC_SEM, (int)desc->id);

	if (err)
		return fail(-err, "cannot choose its id through %s (needs CAP_CHECKPOINT_RESTORE)",
			    sysvipc_next_id_path(SYSVIPC_SEM));
	id = sysvipc_make_as(desc->cuid, desc->cgid, get, sem);
	if (id < 0) {
		if (sysvipc_next_id(SYSVIPC_SEM, -1))
			pr_warn("the next set that anybody makes will have id %u", desc->id);
		return fail(-id, "make a set of %u semaphores", sem->nsems);
	}
	if ((uint32_t)id == desc->id)
		return 0;
	semctl(id, 0, IPC_RMID);
	return fail(EEXIST, "its id was taken by another process just now");
}

static int set_owner(const IpcDescEntry *desc)
{
	struct semid_ds ds;
	int id = (int)desc->id;

	if (semctl(id, 0, IPC_STAT, (union semun){ .ds = &ds }))
		return fail_errno("read its owner");
	if (ds.sem_perm.uid == desc->uid && ds.sem_perm.gid == desc->gid)
		return 0;
	ds.sem_perm.uid = desc->uid;
	ds.sem_perm.gid = desc->gid;
	return semctl(id, 0, IPC_SET, (union semun){ .ds = &ds })
		       ? fail_errno("set its owner %u:%u", desc->uid, desc->gid)
		       : 0;
}

static int set_values(const SysvSemEntry *entry)
{
	auto_free unsigned short *values = xalloc(entry->n_values * sizeof(*values));

	for (size_t i = 0; i < entry->n_values; i++)
		values[i] = (unsigned short)entry->values[i];
	return semctl((int)entry->sem->desc->id, 0, SETALL, (union semun){ .array = values })
		       ? fail_errno("set its values")
		       : 0;
}

static void add_replay(struct semsets_restore *sets, const SysvSemEntry *entry, pid_t pid, size_t num, int adjust)
{
	VEC_PUSH(&sets->replays,
		 ((struct replay){ pid, (int)entry->sem->desc->id, (unsigned short)num, adjust, 0, -1 }));
}

static int make(struct semsets_restore *sets, const struct model *model, const SysvSemEntry *entry, struct guard *guard)
{
	int err, slot = guard_set_add(guard, (int)entry->sem->desc->id);

	if (slot < 0)
		return slot;
	err = create(entry->sem);
	if (err) {
		guard_name_drop(guard, slot);
		return err;
	}
	err = set_owner(entry->sem->desc) ?: set_values(entry);
	for (size_t i = 0; i < entry->n_pids; i++)
		if (model_task(model, entry->pids[i]))
			add_replay(sets, entry, (pid_t)entry->pids[i], i, 0);
	for (size_t i = 0; i < entry->n_adjusts; i++)
		add_replay(sets, entry, (pid_t)entry->adjusts[i]->pid, entry->adjusts[i]->num,
			   entry->adjusts[i]->adjust);
	return err;
}

/* --- the one there was ------------------------------------------------------------------ */

/* What a task of the tree did to it since the dump, it has not done when it goes on from there. */
static int find_value(struct semsets_restore *sets, const struct model *model, const SysvSemEntry *entry, size_t num)
{
	int id = (int)entry->sem->desc->id, want = (int)entry->values[num];
	int pid = semctl(id, (int)num, GETPID), value = semctl(id, (int)num, GETVAL);
	struct replay *replay;

	if (pid < 0 || value < 0)
		return fail_errno("read semaphore %zu", num);
	if (value == want || !pid || !model_task(model, (uint32_t)pid))
		return 0;
	pr_warn("semaphore %zu is %d again; task %d made it %d since the dump", num, want, pid, value);
	add_replay(sets, entry, model_task(model, entry->pids[num]) ? (pid_t)entry->pids[num] : pid, num, 0);
	replay = &sets->replays.data[sets->replays.n - 1];
	replay->from = value;
	replay->to = want;
	return 0;
}

/* SETVAL takes the adjustments of all processes off; the time of change and the semaphore's pid show it. */
static bool was_set(const struct model *model, const SysvSemEntry *entry, const struct semid_ds *ds, size_t num)
{
	int pid;

	if (ds->sem_ctime == entry->ctime)
		return false;
	pid = semctl((int)entry->sem->desc->id, (int)num, GETPID);
	return pid >= 0 && (!pid || !model_task(model, (uint32_t)pid));
}

static int find_again(struct semsets_restore *sets, const struct model *model, const SysvSemEntry *entry,
		      const struct semid_ds *ds)
{
	int err = 0;

	for (size_t i = 0; i < entry->n_adjusts; i++) {
		const SysvSemAdjustEntry *adjust = entry->adjusts[i];

		if (was_set(model, entry, ds, adjust->num))
			pr_warn("semaphore %u was set by others while task %u was away: its end adds nothing to it any "
				"more",
				adjust->num, adjust->pid);
		else
			add_replay(sets, entry, (pid_t)adjust->pid, adjust->num, adjust->adjust);
	}
	for (size_t i = 0; i < entry->n_values && !err; i++)
		err = find_value(sets, model, entry, i);
	return err;
}

/* ------------------------------------------------------------------------------------------ */

static int make_set(struct semsets_restore *sets, const struct model *model, const SysvSemEntry *entry,
		    struct guard *guard)
{
	struct semid_ds ds;
	int id;

	LOG_SCOPE("System V semaphore set", entry->sem->desc->id);
	if (look_up(entry, &id, &ds) == FOUND_SAME)
		return find_again(sets, model, entry, &ds);
	return make(sets, model, entry, guard);
}

int semsets_make(const struct model *model, struct guard *guard, struct semsets_restore **ret)
{
	struct semsets_restore *sets = xalloc(sizeof(*sets));
	int err = 0;

	for (size_t i = 0; i < model->sysv_sems.n && !err; i++)
		err = make_set(sets, model, model->sysv_sems.data[i], guard);
	*ret = sets;
	return err;
}

void semsets_restore_free(struct semsets_restore *sets)
{
	if (sets)
		VEC_FREE(&sets->replays);
	free(sets);
}

/* --- in the puppet ------------------------------------------------------------------------ */

bool semsets_concern(const struct semsets_restore *sets, pid_t pid)
{
	for (size_t i = 0; i < sets->replays.n; i++)
		if (sets->replays.data[i].pid == pid)
			return true;
	return false;
}

static int operate(struct remote_process *process, struct remote_addr buffer, int id, const struct sembuf *ops,
		   size_t n, long *ret)
{
	return remote_write(process, buffer, ops, n * sizeof(ops[0]))
		       ?: remote_call(process->driver, ret, SYS_semop, id, buffer.v, n);
}

static int set_back(struct remote_process *process, struct remote_addr buffer, const struct replay *replay)
{
	struct sembuf ops[SEMOPS_MAX];
	size_t n = semops_set(ops, replay->num, replay->from, replay->to);
	long ret;
	int err = operate(process, buffer, replay->id, ops, n, &ret);

	if (err)
		return err;
	/* Who operated last may have lost the right to since. */
	if (ret == -EACCES)
		ret = semop(replay->id, ops, n) ? -errno : 0;
	if (ret < 0 && ret != -EAGAIN)
		return fail((int)-ret, "System V semaphore set %d: give semaphore %u the value %d again", replay->id,
			    replay->num, replay->to);
	if (ret)
		pr_warn("System V semaphore set %d: semaphore %u is not %d again: somebody has changed it just now",
			replay->id, replay->num, replay->to);
	return 0;
}

static int shift(struct remote_process *process, struct remote_addr buffer, const struct replay *replay, int delta)
{
	struct sembuf ops[SEMOPS_MAX];
	long ret = -EAGAIN;

	for (int try = 0; try < TRIES && (ret == -EAGAIN || ret == -ERANGE); try++) {
		int value = semctl(replay->id, replay->num, GETVAL), err;
		size_t n;

		if (value < 0)
			return fail_errno("System V semaphore set %d: read semaphore %u", replay->id, replay->num);
		n = semops_shift(ops, replay->num, value, delta);
		err = operate(process, buffer, replay->id, ops, n, &ret);
		if (err)
			return err;
	}
	/* Who operated last may have lost the right to since. */
	if (ret < 0 && !delta) {
		pr_debug("System V semaphore set %d: semaphore %u: its last operator is not %d: %s", replay->id,
			 replay->num, replay->pid, strerror((int)-ret));
		return 0;
	}
	return ret < 0 ? fail((int)-ret, "System V semaphore set %d: have the end of task %d add %d to semaphore %u",
			      replay->id, replay->pid, delta, replay->num)
		       : 0;
}

/* Of the first @n replays, those of this process; *ret_done: how many of them all were gone through. */
static int shift_first(const struct semsets_restore *sets, struct remote_process *process, struct remote_addr buffer,
		       size_t n, int sign, size_t *ret_done)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		const struct replay *replay = &sets->replays.data[i];

		if (replay->pid != process->pid)
			continue;
		if (sign > 0 && replay->to >= 0)
			err = set_back(process, buffer, replay);
		if (!err && (sign > 0 || replay->adjust))
			err = shift(process, buffer, replay, sign * replay->adjust);
		if (!err)
			*ret_done = i + 1;
	}
	return err;
}

static int shift_all(const struct semsets_restore *sets, struct remote_process *process, int sign)
{
	struct remote_addr buffer;
	size_t done = 0, undone;
	long at, ret;
	int err = remote_call(process->driver, &at, SYS_mmap, 0, PAGE_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (err)
		return err;
	if (at < 0)
		return fail((int)-at, "map a page");
	buffer.v = (uint64_t)at;
	err = shift_first(sets, process, buffer, sets->replays.n, sign, &done);
	if (err && sign > 0 && shift_first(sets, process, buffer, done, -1, &undone))
		pr_warn("its end changes semaphores that others may wait for (SEM_UNDO)");
	return err ?: remote_call(process->driver, &ret, SYS_munmap, at, PAGE_BYTES);
}

int semsets_replay(const struct semsets_restore *sets, struct remote_process *process)
{
	return shift_all(sets, process, 1);
}

int semsets_take_back(const struct semsets_restore *sets, struct remote_process *process)
{
	return shift_all(sets, process, -1);
}
