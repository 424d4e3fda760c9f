/*
 * Landlock: landlock(7).
 *
 * The kernel keeps a domain, a stack of rules, with the credentials of a thread. Nothing shows it and nothing reads its
 * rules; it is lost, with a warning. That it exists can be found out: a confined thread may not look at a task
 * outside of its domain (ptrace(2)), whatever its credentials. So each thread is made to compare a process of its own
 * user and without capabilities to itself, which is a child of criu: where that is forbidden, the thread has a domain
 * that criu has not. The child runs a program, this one, because whom its user may look at must not have the memory of
 * criu; and it only has to be a zombie.
 *
 * Other security modules say no with another error, EACCES.
 */
#include "task/landlock.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "task/attrs.h"
#include "util/log.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#define CREATE_RULESET_VERSION 1

/* A zombie with these ids, all four of them alike. */
struct bystander {
	uid_t uid;
	gid_t gid;
	pid_t pid; /* 0: couldn't be made */
	bool runs; /* as far as is known */
};

struct landlock_probe {
	VEC(struct bystander) bystanders;
	pid_t warned; /* the last process that was told of */
};

void landlock_probe_freep(struct landlock_probe **probe)
{
	if (!*probe)
		return;
	for (size_t i = 0; i < (*probe)->bystanders.n; i++)
		if ((*probe)->bystanders.data[i].pid > 0)
			waitpid((*probe)->bystanders.data[i].pid, NULL, 0);
	VEC_FREE(&(*probe)->bystanders);
	free(*probe);
	*probe = NULL;
}

static int become(uid_t uid, gid_t gid)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	return syscall(SYS_setresgid, gid, gid, gid) || syscall(SYS_setresuid, uid, uid, uid) ||
	       syscall(SYS_capset, &header, none);
}

static int run_bystander(uid_t uid, gid_t gid)
{
	static const char path[] = "/proc/self/exe";
	char *const argv[] = { "criu", "--version", NULL }, *const environment[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || become(uid, gid))
		return 1;
	execve(path, argv, environment);
	return 1;
}

static struct bystander *start_bystander(struct landlock_probe *probe, const struct proc_status *status)
{
	struct bystander *bystander = VEC_ADD(&probe->bystanders);

	*bystander = (struct bystander){ .uid = status->uids[0], .gid = status->gids[0], .runs = true };
	bystander->pid = fork();
	if (!bystander->pid)
		_exit(run_bystander(bystander->uid, bystander->gid));
	return bystander;
}

static void await_bystander(struct bystander *bystander)
{
	siginfo_t info = { 0 };

	bystander->runs = false;
	while (bystander->pid > 0 && waitid(P_PID, (id_t)bystander->pid, &info, WEXITED | WNOWAIT) && errno == EINTR)
		;
	if (info.si_code == CLD_EXITED && !info.si_status)
		return;
	if (bystander->pid > 0)
		waitpid(bystander->pid, NULL, 0);
	bystander->pid = 0;
}

struct landlock_probe *landlock_probe_new(const struct proc_status *first)
{
	struct landlock_probe *probe;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION) < 0)
		return NULL;
	probe = xalloc(sizeof(*probe));
	start_bystander(probe, first);
	return probe;
}

/* 0: can't be asked. */
static pid_t bystander_of(struct landlock_probe *probe, const struct proc_status *status)
{
	struct bystander *found = NULL;

	for (size_t i = 0; i < probe->bystanders.n; i++)
		if (probe->bystanders.data[i].uid == status->uids[0] &&
		    probe->bystanders.data[i].gid == status->gids[0])
			found = &probe->bystanders.data[i];
	if (!found)
		found = start_bystander(probe, status);
	if (found->runs)
		await_bystander(found);
	return found->pid;
}

static int queue_look(struct batch *batch, pid_t bystander)
{
	return batch_add(batch, __NR_kcmp, bystander, bystander, KCMP_VM, 0, 0);
}

struct landlock_priv {
	bool asked;
	int op;
};

static int landlock_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	struct landlock_priv *priv = arena_new_of(ctx->model->arena, struct landlock_priv);
	pid_t bystander = ctx->landlock ? bystander_of(ctx->landlock, &ctx->thread->process->status) : 0;

	*ret_priv = priv;
	priv->asked = bystander != 0;
	if (priv->asked)
		priv->op = queue_look(batch, bystander);
	return 0;
}

/* With the ids of its own, which may not be those of its process. */
static int ask_again(struct task_ctx *ctx, long *ret)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	cleanup_with(proc_status_free) struct proc_status status = { 0 };
	int op, err = proc_read_status(ctx->thread->process->pid, ctx->thread->tid, &status);
	pid_t bystander = err ? 0 : bystander_of(ctx->landlock, &status);

	*ret = 0;
	if (err || !bystander)
		return err;
	err = batch_new(ctx->thread, &batch);
	if (err)
		return err;
	op = queue_look(batch, bystander);
	err = batch_run(batch);
	if (!err)
		*ret = batch_ret(batch, op);
	return err;
}

static int landlock_dump(struct task_ctx *ctx, struct batch *batch, void *priv_arg)
{
	const struct landlock_priv *priv = priv_arg;
	pid_t pid = ctx->thread->process->pid;
	long answer = priv->asked ? batch_ret(batch, priv->op) : 0;
	int err = 0;

	if (answer == -EPERM && !ctx->leader)
		err = ask_again(ctx, &answer);
	if (err || answer != -EPERM || ctx->landlock->warned == pid)
		return err;
	ctx->landlock->warned = pid;
	pr_warn("It is confined by Landlock, whose rules nobody can read: restored, it will not be");
	return 0;
}

const struct task_attr task_landlock = {
	.name = "Landlock",
	.queue = landlock_queue,
	.dump = landlock_dump,
};
