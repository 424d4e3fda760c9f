/* The process tree, the attributes of tasks, and what ties the parts together. */
#include <limits.h>
#include <string.h>

#include "arch.h"
#include "image/image-check.h"
#include "util/log.h"

#define IMAGES_V1_1	  2
#define PIDS_MAX	  4194304 /* PID_MAX_LIMIT of a 64-bit kernel */
#define SIGACTIONS	  62	  /* signals 1 to 64 without SIGKILL and SIGSTOP */
#define SIGINFO_BYTES	  128
#define RLIMITS_MAX	  64
#define CAP_WORDS	  2
#define GROUPS_MAX	  65536
#define COMM_MAX	  15
#define FILTER_INSN_BYTES 8
#define FILTER_MAX_BYTES  (4096 * FILTER_INSN_BYTES)

int image_check_inventory(const struct model *model)
{
	const InventoryEntry *inventory = model->inventory;

	if (inventory->img_version != IMAGES_V1_1)
		return fail(ENOTSUP, "inventory.img: images version %u; this program reads version %u%s",
			    inventory->img_version, IMAGES_V1_1,
			    inventory->img_version ? "" : " (a pre-dump cannot be restored from)");
	if (!inventory->has_fdinfo_per_id || !inventory->fdinfo_per_id)
		return fail(ENOTSUP, "inventory.img: descriptor tables are not numbered by id: images too old");
	return 0;
}

static int check_pstree_entry(const struct hash *tids, const struct hash *pids, const PstreeEntry *entry, size_t n)
{
	if (entry->pid == 0 || entry->pid > PIDS_MAX)
		return fail(EINVAL, "pstree.img: entry %zu: pid %u is not a pid", n, entry->pid);
	if (entry->pgid > PIDS_MAX || entry->sid > PIDS_MAX)
		return fail(EINVAL, "pstree.img: entry %zu: pid %u: group %u or session %u is not a pid", n, entry->pid,
			    entry->pgid, entry->sid);
	if (n == 0 ? entry->ppid != 0 : !hash_get(pids, entry->ppid, 0))
		return fail(EINVAL, "pstree.img: entry %zu: pid %u: parent %u is not a process before it", n,
			    entry->pid, entry->ppid);
	if (entry->n_threads == 0 || entry->threads[0] != entry->pid)
		return fail(EINVAL, "pstree.img: entry %zu: pid %u: threads do not begin with the leader", n,
			    entry->pid);
	for (size_t i = 0; i < entry->n_threads; i++)
		if (entry->threads[i] == 0 || entry->threads[i] > PIDS_MAX || hash_get(tids, entry->threads[i], 0))
			return fail(EINVAL, "pstree.img: entry %zu: pid %u: thread id %u is bad or there twice", n,
				    entry->pid, entry->threads[i]);
	return 0;
}

int image_check_pstree(const struct model *model)
{
	struct hash tids = { 0 }, pids = { 0 };
	int err = 0;

	if (!model->tasks.n)
		return fail(EINVAL, "pstree.img: no process in it");
	for (size_t i = 0; i < model->tasks.n && !err; i++) {
		PstreeEntry *entry = model->tasks.data[i].pstree;

		err = check_pstree_entry(&tids, &pids, entry, i);
		if (err)
			break;
		hash_put(&pids, entry->pid, 0, entry);
		for (size_t j = 0; j < entry->n_threads && !err; j++)
			if (hash_put(&tids, entry->threads[j], 0, entry))
				err = fail(EINVAL, "pstree.img: entry %zu: thread id %u is there twice", i,
					   entry->threads[j]);
	}
	hash_free(&tids);
	hash_free(&pids);
	return err;
}

static int check_signal_queue(const SignalQueueEntry *queue, const char *which)
{
	for (size_t i = 0; queue && i < queue->n_signals; i++)
		if (queue->signals[i]->siginfo.len != SIGINFO_BYTES)
			return fail(EINVAL, "core image: %s signal %zu has %zu bytes instead of %d", which, i,
				    queue->signals[i]->siginfo.len, SIGINFO_BYTES);
	return 0;
}

static int check_creds(const CredsEntry *creds)
{
	if (!creds)
		return fail(EINVAL, "core image: no credentials");
	if (creds->n_cap_inh != CAP_WORDS || creds->n_cap_prm != CAP_WORDS || creds->n_cap_eff != CAP_WORDS ||
	    creds->n_cap_bnd != CAP_WORDS || (creds->n_cap_amb && creds->n_cap_amb != CAP_WORDS))
		return fail(EINVAL, "core image: a capability set is not %d words long", CAP_WORDS);
	if (creds->n_groups > GROUPS_MAX)
		return fail(EINVAL, "core image: %zu supplementary groups", creds->n_groups);
	return 0;
}

static int check_thread(const CoreEntry *core, uint32_t tid)
{
	const ThreadCoreEntry *thread = core->thread_core;

	if (core->mtype != ARCH_MTYPE)
		return fail(ENOTSUP, "core-%u.img: made on another architecture (%d)", tid, (int)core->mtype);
	if (!core->thread_info || !thread)
		return fail(EINVAL, "core-%u.img: registers or thread attributes are missing", tid);
	if (thread->comm && strlen(thread->comm) > COMM_MAX)
		return fail(EINVAL, "core-%u.img: thread name longer than %d bytes", tid, COMM_MAX);
	return check_creds(thread->creds) ?: check_signal_queue(thread->signals_p, "thread");
}

int image_check_core(const struct task_image *task)
{
	const TaskCoreEntry *tc = task->core[0]->tc;
	uint32_t pid = task->pstree->pid;

	if (!tc)
		return fail(EINVAL, "core-%u.img: process attributes are missing", pid);
	if (strlen(tc->comm) > COMM_MAX)
		return fail(EINVAL, "core-%u.img: name longer than %d bytes", pid, COMM_MAX);
	if (tc->task_state < TASK_STATE_ALIVE || tc->task_state > TASK_STATE_STOPPED)
		return fail(EINVAL, "core-%u.img: unknown state %u", pid, tc->task_state);
	if (tc->task_state == TASK_STATE_DEAD) {
		if (task->n_core != 1)
			return fail(EINVAL, "core-%u.img: a zombie with %zu threads", pid, task->n_core);
		return 0;
	}
	if (tc->rlimits && tc->rlimits->n_rlimits > RLIMITS_MAX)
		return fail(EINVAL, "core-%u.img: %zu resource limits", pid, tc->rlimits->n_rlimits);
	for (size_t i = 0; i < task->n_core; i++) {
		int err = check_thread(task->core[i], task->pstree->threads[i]);

		if (err)
			return err;
	}
	return check_signal_queue(tc->signals_s, "shared");
}

/* What a task leaves to a relative must be found there. */
static int check_shared(const struct model *model, const struct task_image *task, const struct hash *mms)
{
	const TaskCoreEntry *tc = task->core[0]->tc;
	const struct task_image *owner;

	if (!task->mm && !hash_get(mms, task->ids->vm_id, 0))
		return fail(ENOENT, "mm-%u.img is missing", task->pstree->pid);
	if (tc->n_sigactions == SIGACTIONS)
		return 0;
	owner = model_task(model, task->pstree->ppid);
	if (tc->n_sigactions || !owner || !owner->ids || owner->ids->sighand_id != task->ids->sighand_id)
		return fail(EINVAL, "core-%u.img: %zu signal actions instead of %d", task->pstree->pid,
			    tc->n_sigactions, SIGACTIONS);
	return 0;
}

static bool is_reg_file(const struct model *model, uint32_t id)
{
	const FileEntry *file = model_file(model, id);

	return file && file->type == FD_TYPES__REG;
}

static int check_task(const struct model *model, const struct task_image *task, const struct hash *mms)
{
	uint32_t pid = task->pstree->pid;
	int err;

	LOG_SCOPE("task", pid);
	err = check_shared(model, task, mms);
	if (err)
		return err;
	if (!is_reg_file(model, task->fs->cwd_id) || !is_reg_file(model, task->fs->root_id))
		return fail(EINVAL, "fs-%u.img: directory %u or root %u is not in files.img", pid, task->fs->cwd_id,
			    task->fs->root_id);
	for (size_t i = 0; i < task->n_core; i++) {
		const ThreadCoreEntry *thread = task->core[i]->thread_core;

		if (thread->has_seccomp_mode && thread->seccomp_mode == SECCOMP_MODE__filter &&
		    (!thread->has_seccomp_filter || thread->seccomp_filter >= model->seccomp->n_seccomp_filters))
			return fail(EINVAL, "core-%u.img: seccomp filter %u is not in seccomp.img",
				    task->pstree->threads[i], thread->seccomp_filter);
	}
	return task->mm ? image_check_mm(model, task) : 0;
}

static int check_tasks(const struct model *model)
{
	struct hash mms = { 0 };
	int err = 0;

	for (size_t i = 0; i < model->tasks.n; i++) {
		struct task_image *task = &model->tasks.data[i];

		if (task->mm)
			hash_put(&mms, task->ids->vm_id, 0, task);
	}
	for (size_t i = 0; i < model->tasks.n && !err; i++)
		if (!image_task_is_zombie(&model->tasks.data[i]))
			err = check_task(model, &model->tasks.data[i], &mms);
	hash_free(&mms);
	return err;
}

static int check_seccomp(const SeccompEntry *seccomp)
{
	for (size_t i = 0; i < seccomp->n_seccomp_filters; i++) {
		const SeccompFilter *filter = seccomp->seccomp_filters[i];

		if (!filter->filter.len || filter->filter.len % FILTER_INSN_BYTES ||
		    filter->filter.len > FILTER_MAX_BYTES)
			return fail(EINVAL, "seccomp.img: filter %zu has %zu bytes", i, filter->filter.len);
		if (filter->has_prev && filter->prev >= i)
			return fail(EINVAL, "seccomp.img: filter %zu: previous filter %u is not before it", i,
				    filter->prev);
	}
	return 0;
}

int image_check_model(const struct model *model)
{
	int err = check_seccomp(model->seccomp);

	err = err ?: image_check_files(model);
	err = err ?: image_check_sysv(model);
	err = err ?: image_check_mqueues(model);
	err = err ?: check_tasks(model);
	return err ?: image_check_locks(model);
}
