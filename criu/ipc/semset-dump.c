/*
 * What the kernel keeps of a set: id, key, creator, owner, mode, two times, and of each semaphore a value and the
 * process that last operated on it; semctl(2) shows all of that. Beside the sets each process has a list of adjustments, which
 * its threads share, and which nobody can see: not what is in it, only, by kcmp(2), whether there is one and who shares it. A process
 * that never made an adjustment and never had a second thread has none. What is in a list is measured, see semops.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "ipc/semops.h"
#include "ipc/semset.h"
#include "kernel/proc.h"
#include "util/log.h"

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

#define PROBES_AT_A_TIME 64 /* semaphores in one batch */
#define TRIES		 50 /* while others change a semaphore's value */

union semun {
	int val;
	struct semid_ds *ds;
	unsigned short *array;
	struct seminfo *info;
};

/* --- what is there ------------------------------------------------------------------ */

/* Values and operators; a set that ends meanwhile has none. */
static void read_semaphores(struct semset *set, const struct model *model)
{
	size_t n = set->ds.sem_nsems;
	unsigned short *values = arena_array(model->arena, unsigned short, n);

	if (semctl(set->id, 0, GETALL, (union semun){ .array = values })) {
		pr_debug("System V semaphore set %d: cannot be read: %m", set->id);
		return;
	}
	set->values = values;
	set->pids = arena_array(model->arena, pid_t, n);
	for (size_t i = 0; i < n; i++) {
		int pid = semctl(set->id, (int)i, GETPID);

		set->pids[i] = pid < 0 ? 0 : pid;
		set->used |= pid > 0 && model_task(model, (uint32_t)pid);
	}
}

int semsets_collect(const struct model *model, struct semsets *ret)
{
	struct seminfo info;
	int last = semctl(0, 0, SEM_INFO, (union semun){ .info = &info });

	ret->arena = model->arena;
	/* A kernel without them has none. */
	if (last < 0)
		return errno == ENOSYS ? 0 : fail_errno("list the System V semaphore sets");
	for (int i = 0; i <= last; i++) {
		struct semid_ds ds;
		int id = semctl(i, 0, SEM_STAT_ANY, (union semun){ .ds = &ds });
		struct semset *set;

		if (id < 0)
			continue;
		set = VEC_ADD(&ret->all);
		set->id = id;
		set->ds = ds;
		read_semaphores(set, model);
	}
	return 0;
}

void semsets_free(struct semsets *sets)
{
	for (size_t i = 0; i < sets->all.n; i++)
		VEC_FREE(&sets->all.data[i].adjusts);
	VEC_FREE(&sets->all);
}

void semsets_await(struct semsets *sets, int id)
{
	for (size_t i = 0; i < sets->all.n; i++)
		if (sets->all.data[i].id == id && sets->all.data[i].values)
			sets->all.data[i].used = true;
}

bool semsets_may_be_adjusted(const struct semsets *sets)
{
	for (size_t i = 0; i < sets->all.n; i++)
		if (sets->all.data[i].ds.sem_otime)
			return true;
	return false;
}

/* --- adjustments --------------------------------------------------------------------- */

struct measuring {
	struct batch *batch;
	struct semset *set;
	semadjusts *ret;
};

typedef size_t (*probe_fn)(struct sembuf *ops, unsigned short num, int value, int limit);

static int queue_probe(struct measuring *measuring, probe_fn probe, size_t num, int value, int limit)
{
	struct sembuf ops[SEMOPS_MAX];
	size_t n = probe(ops, (unsigned short)num, value, limit);

	return batch_add(measuring->batch, SYS_semop, measuring->set->id,
			 batch_data(measuring->batch, ops, n * sizeof(ops[0])).v, n);
}

/* 1: it is so; 0: it is not, or the value has changed; or why it can't be told. */
static int answer(const struct measuring *measuring, int op)
{
	long ret = batch_ret(measuring->batch, op);

	return ret == -ERANGE ? 1 : ret == -EAGAIN ? 0 : (int)ret;
}

static int ask(struct measuring *measuring, probe_fn probe, size_t num, int value, int limit)
{
	int op, err = batch_room(measuring->batch, 1, SEMOPS_MAX * sizeof(struct sembuf) + 16);

	if (err)
		return err;
	op = queue_probe(measuring, probe, num, value, limit);
	err = batch_run(measuring->batch);
	return err ?: answer(measuring, op);
}

/* *ret is right if both questions about it are answered with yes. */
static int search(struct measuring *measuring, size_t num, int value, int *ret)
{
	int low = SEM_ADJUST_MIN, high = SEM_ADJUST_MAX, is;

	while (low < high) {
		int middle = low + (high - low) / 2;

		is = ask(measuring, semops_at_most, num, value, middle);
		if (is < 0)
			return is;
		if (is)
			high = middle;
		else
			low = middle + 1;
	}
	*ret = low;
	is = ask(measuring, semops_at_most, num, value, low);
	return is == 1 ? ask(measuring, semops_at_least, num, value, low) : is;
}

static int measure_one(struct measuring *measuring, size_t num)
{
	int adjust = 0, value, sure = 0;

	for (int try = 0; !sure; try++) {
		if (try == TRIES)
			return fail(EBUSY,
				    "System V semaphore set %d: semaphore %zu changes all the time, so that it can't "
				    "be "
				    "found out what its end would add to it (SEM_UNDO): dump it when that one rests",
				    measuring->set->id, num);
		value = semctl(measuring->set->id, (int)num, GETVAL);
		if (value < 0)
			return -errno;
		sure = search(measuring, num, value, &adjust);
	}
	if (sure > 0 && adjust)
		VEC_PUSH(measuring->ret, ((struct semadjust){ measuring->set, (uint16_t)num, adjust }));
	return sure < 0 ? sure : 0;
}

/* Mostly none is adjusted, which two questions tell. */
static int measure_some(struct measuring *measuring, size_t first, size_t end)
{
	int ops[PROBES_AT_A_TIME], err;
	bool zero[PROBES_AT_A_TIME];

	err = batch_room(measuring->batch, 2 * PROBES_AT_A_TIME,
			 2 * PROBES_AT_A_TIME * (SEMOPS_MAX * sizeof(struct sembuf) + 16));
	if (err)
		return err;
	for (size_t i = first; i < end; i++) {
		int value = measuring->set->values[i];

		ops[i - first] = queue_probe(measuring, semops_at_most, i, value, 0);
		queue_probe(measuring, semops_at_least, i, value, 0);
	}
	err = batch_run(measuring->batch);
	for (size_t i = first; i < end && !err; i++) {
		int most = answer(measuring, ops[i - first]), least = answer(measuring, ops[i - first] + 1);

		zero[i - first] = most == 1 && least == 1;
		err = most < 0 ? most : least < 0 ? least : 0;
	}
	for (size_t i = first; i < end && !err; i++)
		if (!zero[i - first])
			err = measure_one(measuring, i);
	return err;
}

static int measure_set(struct measuring *measuring)
{
	const struct semset *set = measuring->set;
	int err = 0;

	/* Never operated on. */
	if (!set->ds.sem_otime || !set->values)
		return 0;
	for (size_t i = 0; i < set->ds.sem_nsems && !err; i += PROBES_AT_A_TIME)
		err = measure_some(measuring, i, min_u64(i + PROBES_AT_A_TIME, set->ds.sem_nsems));
	/* It has ended. */
	if (err == -EINVAL || err == -EIDRM)
		return 0;
	if (err == -EACCES && !set->used) {
		pr_info("System V semaphore set %d: may not be operated on, so it is taken to be none of its", set->id);
		return 0;
	}
	if (err == -EACCES)
		return fail(EACCES,
			    "System V semaphore set %d: the tree has used it, but this task may not operate on it any "
			    "more, "
			    "so that it can't be found out what its end would change (SEM_UNDO): give it the right to "
			    "(mode %o, owner %u:%u)",
			    set->id, set->ds.sem_perm.mode & 0777, set->ds.sem_perm.uid, set->ds.sem_perm.gid);
	if (err == -E2BIG)
		return fail(E2BIG, "System V semaphore set %d: kernel.sem allows fewer than %d operations in one call",
			    set->id, SEMOPS_MAX);
	return err < 0 && err != -EBUSY ? fail(-err, "System V semaphore set %d: find out its adjustments", set->id)
					: err;
}

int semsets_measure(struct semsets *sets, struct remote_thread *thread, semadjusts *ret)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	int err = batch_new(thread, &batch);

	for (size_t i = 0; i < sets->all.n && !err; i++)
		err = measure_set(&(struct measuring){ batch, &sets->all.data[i], ret });
	return err;
}

/* --- images ---------------------------------------------------------------------------- */

void semsets_adjusted(struct semsets *sets, const struct semadjust *adjust, pid_t pid)
{
	SysvSemAdjustEntry *entry = arena_new_of(sets->arena, SysvSemAdjustEntry);

	sysv_sem_adjust_entry__init(entry);
	entry->pid = (uint32_t)pid;
	entry->num = adjust->num;
	entry->adjust = adjust->adjust;
	VEC_PUSH(&adjust->set->adjusts, entry);
	adjust->set->used = true;
}

static IpcSemEntry *new_sem(const struct semset *set, struct model *model)
{
	IpcSemEntry *sem = model_new(model, IpcSemEntry, ipc_sem_entry__init);
	const struct ipc_perm *perm = &set->ds.sem_perm;

	sem->desc = model_new(model, IpcDescEntry, ipc_desc_entry__init);
	sem->desc->key = (uint32_t)perm->__key;
	sem->desc->uid = perm->uid;
	sem->desc->gid = perm->gid;
	sem->desc->cuid = perm->cuid;
	sem->desc->cgid = perm->cgid;
	sem->desc->mode = perm->mode;
	sem->desc->id = (uint32_t)set->id;
	sem->nsems = set->ds.sem_nsems;
	return sem;
}

static void dump_set(const struct semset *set, struct model *model)
{
	SysvSemEntry *entry = model_new(model, SysvSemEntry, sysv_sem_entry__init);
	char boot_id[PROC_BOOT_ID_BYTES];
	size_t n = set->ds.sem_nsems;

	entry->sem = new_sem(set, model);
	entry->n_values = entry->n_pids = n;
	entry->values = arena_array(model->arena, uint32_t, n);
	entry->pids = arena_array(model->arena, uint32_t, n);
	for (size_t i = 0; i < n; i++) {
		entry->values[i] = set->values[i];
		entry->pids[i] = (uint32_t)set->pids[i];
	}
	entry->n_adjusts = set->adjusts.n;
	entry->adjusts = arena_array(model->arena, SysvSemAdjustEntry *, set->adjusts.n);
	for (size_t i = 0; i < set->adjusts.n; i++)
		entry->adjusts[i] = set->adjusts.data[i];
	entry->ctime = set->ds.sem_ctime;
	if (proc_read_boot_id(boot_id))
		entry->boot_id = arena_strdup(model->arena, boot_id);
	VEC_PUSH(&model->sysv_sems, entry);
}

void semsets_dump(const struct semsets *sets, struct model *model)
{
	for (size_t i = 0; i < sets->all.n; i++)
		if (sets->all.data[i].used && sets->all.data[i].values)
			dump_set(&sets->all.data[i], model);
}

/* --- before the kill ------------------------------------------------------------------------ */

static int disarm_one(struct batch *batch, const struct semadjust *adjust)
{
	long ret = -EAGAIN;

	for (int try = 0; try < TRIES && (ret == -EAGAIN || ret == -ERANGE); try++) {
		struct sembuf ops[SEMOPS_MAX];
		int value = semctl(adjust->set->id, adjust->num, GETVAL), op, err;
		size_t n;

		if (value < 0)
			return 0;
		err = batch_room(batch, 1, sizeof(ops) + 16);
		if (err)
			return err;
		n = semops_shift(ops, adjust->num, value, -adjust->adjust);
		op = batch_add(batch, SYS_semop, adjust->set->id, batch_data(batch, ops, n * sizeof(ops[0])).v, n);
		err = batch_run(batch);
		if (err)
			return err;
		ret = batch_ret(batch, op);
	}
	return ret < 0 ? fail((int)-ret, "System V semaphore set %d: take the adjustment of semaphore %u away",
			      adjust->set->id, adjust->num)
		       : 0;
}

int semsets_disarm(struct semsets *sets, struct remote_thread *thread)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	semadjusts now = { 0 };
	/* Others may have set semaphores meanwhile, which takes adjustments off. */
	int err = semsets_measure(sets, thread, &now) ?: batch_new(thread, &batch);

	for (size_t i = 0; i < now.n && !err; i++)
		err = disarm_one(batch, &now.data[i]);
	VEC_FREE(&now);
	return err;
}
