#include <errno.h>
#include <sys/syscall.h>

#include "checkpoint/semadj.h"
#include "remote/call.h"
#include "util/log.h"

static void note_waiting(struct dump *dump, const struct remote_process *process)
{
	for (size_t i = 0; i < process->n_threads; i++) {
		const struct user_regs_struct *regs = &process->threads[i].resume_regs;

		if (regs->rax == SYS_semop || regs->rax == SYS_semtimedop)
			semsets_await(&dump->semsets, (int)regs->rdi);
		if (regs->rax == SYS_msgsnd || regs->rax == SYS_msgrcv)
			VEC_PUSH(&dump->awaited_queues, (int)regs->rdi);
	}
}

static struct semadj_list *find_list(struct dump *dump, pid_t tid)
{
	for (size_t i = 0; i < dump->semadj_lists.n; i++)
		if (dump->semadj_lists.data[i].thread->tid == tid)
			return &dump->semadj_lists.data[i];
	return NULL;
}

/* Each list once: the first thread that has it is asked. */
static int find_lists(struct dump *dump, const struct remote_process *process)
{
	pid_t last_owner = 0;

	for (size_t i = 0; i < process->n_threads; i++) {
		pid_t owner, tid = process->threads[i].tid;
		int err = ids_semadj_owner(dump->ids, tid, &owner);
		struct semadj_list *list;

		if (err)
			return err;
		/* Threads mostly have the same. */
		if (!owner || owner == last_owner)
			continue;
		last_owner = owner;
		list = find_list(dump, owner);
		if (!list)
			VEC_PUSH(&dump->semadj_lists, ((struct semadj_list){ .thread = &process->threads[i] }));
		else if (list->thread->process != process)
			list->also_of = process->pid;
	}
	return 0;
}

int semadj_plan(struct dump *dump)
{
	int err = semsets_collect(&dump->model, &dump->semsets);

	for (size_t i = 0; !err && i < dump->tree.n; i++) {
		const struct remote_process *process = dump->tree.processes[i];

		if (process->state == REMOTE_ZOMBIE)
			continue;
		note_waiting(dump, process);
		if (semsets_may_be_adjusted(&dump->semsets))
			err = find_lists(dump, process);
	}
	return err;
}

/* A list that restore can't give to those who had it matters only if there is something in it. */
static void check_holders(const struct semadj_list *list, const struct semadjust *adjust, struct refusals *refusals)
{
	pid_t tid = list->thread->tid;

	if (list->also_of)
		refuse(refusals,
		       "System V semaphore set %d: task %d shares the adjustment of semaphore %u by %d at its end "
		       "(SEM_UNDO) with task %d (CLONE_SYSVSEM): processes like that can't be dumped "
		       "as long as there is one; have the semaphore given back before the dump",
		       adjust->set->id, tid, adjust->num, adjust->adjust, list->also_of);
	else if (tid != list->thread->process->pid)
		refuse(refusals,
		       "System V semaphore set %d: thread %d has an adjustment of its own (SEM_UNDO), of semaphore "
		       "%u by %d: threads like that can't be dumped as long as there is one; have the semaphore given "
		       "back "
		       "before the dump",
		       adjust->set->id, tid, adjust->num, adjust->adjust);
}

static int ask_list(struct dump *dump, struct semadj_list *list)
{
	semadjusts found = { 0 };
	int err = semsets_measure(&dump->semsets, list->thread, &found);

	list->adjusts = found.n;
	for (size_t i = 0; i < found.n; i++) {
		check_holders(list, &found.data[i], &dump->refusals);
		semsets_adjusted(&dump->semsets, &found.data[i], list->thread->process->pid);
	}
	VEC_FREE(&found);
	return err;
}

int semadj_ask(struct dump *dump, const struct remote_process *process)
{
	int err = 0;

	for (size_t i = 0; i < dump->semadj_lists.n && !err; i++)
		if (dump->semadj_lists.data[i].thread->process == process)
			err = ask_list(dump, &dump->semadj_lists.data[i]);
	return err;
}

void semadj_disarm(struct dump *dump)
{
	for (size_t i = 0; i < dump->semadj_lists.n; i++) {
		const struct semadj_list *list = &dump->semadj_lists.data[i];
		struct remote_process *process = list->thread->process;
		LOG_SCOPE("task", process->pid);
		int err;

		if (!list->adjusts)
			continue;
		err = remote_open(process);
		err = err ?: semsets_disarm(&dump->semsets, list->thread);
		err = remote_close(process) ?: err;
		if (err)
			pr_warn("its end changes semaphores that others may wait for (SEM_UNDO)");
	}
}
