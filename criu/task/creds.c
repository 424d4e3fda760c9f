/*
 * Credentials of a thread.
 *
 * What the kernel keeps, per thread: four user and four group ids, more
 * groups, five sets of capabilities, securebits, no_new_privs. All but the
 * securebits are seen from outside. Only the thread itself can set them.
 *
 * Order: the inheritable set before the bounding set is lowered (it may hold
 * what the other no longer allows); both before the ids; during the change of
 * ids SECBIT_NO_SETUID_FIXUP keeps capabilities as they are; then the ambient
 * set, the securebits, which may forbid all of this, and last the capabilities
 * that all of this needed. What is equal already is not touched, so that a
 * user without privileges can restore a job of his own.
 *
 * no_new_privs comes earlier, because filters may depend on it.
 *
 * Lost: keyrings and security labels; the restored task has those of criu.
 */
#include "task/attrs.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "util/log.h"

#define CAP_WORDS		 2
#define N_CAPS			 64
#define ID_NONE			 UINT32_MAX
#define SECUREBITS_DURING_CHANGE (SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP)
/* Groups have to fit in a batch beside the rest. */
#define GROUPS_MAX 8192

struct caps {
	uint64_t inh, prm, eff, bnd, amb;
};

/* --- dump ----------------------------------------------------------------------------- */

/* Of the leader it is known already; that another thread is in other groups takes system calls by hand. */
static int creds_plan(struct task_ctx *ctx, struct refusals *refusals)
{
	const struct proc_status *status = &ctx->thread->process->status;

	if (ctx->leader && status->n_groups > GROUPS_MAX)
		refuse(refusals,
		       "it is in %zu groups, at most %d can be saved: take it out of some (setgroups(2)) before the "
		       "dump",
		       status->n_groups, GROUPS_MAX);
	return 0;
}

static int creds_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	int *op = arena_new_of(ctx->model->arena, int);

	*op = batch_add(batch, __NR_prctl, PR_GET_SECUREBITS);
	*ret_priv = op;
	return 0;
}

static void dump_caps(struct arena *arena, uint64_t caps, size_t *ret_n, uint32_t **ret_words)
{
	*ret_n = CAP_WORDS;
	*ret_words = arena_array(arena, uint32_t, CAP_WORDS);
	(*ret_words)[0] = (uint32_t)caps;
	(*ret_words)[1] = (uint32_t)(caps >> 32);
}

CredsEntry *creds_entry_new(struct model *model, const struct proc_status *status)
{
	CredsEntry *entry = model_new(model, CredsEntry, creds_entry__init);

	entry->uid = status->uids[0];
	entry->euid = status->uids[1];
	entry->suid = status->uids[2];
	entry->fsuid = status->uids[3];
	entry->gid = status->gids[0];
	entry->egid = status->gids[1];
	entry->sgid = status->gids[2];
	entry->fsgid = status->gids[3];
	entry->n_groups = status->n_groups;
	entry->groups = arena_memdup(model->arena, status->groups, status->n_groups * sizeof(gid_t));
	dump_caps(model->arena, status->cap_inh, &entry->n_cap_inh, &entry->cap_inh);
	dump_caps(model->arena, status->cap_prm, &entry->n_cap_prm, &entry->cap_prm);
	dump_caps(model->arena, status->cap_eff, &entry->n_cap_eff, &entry->cap_eff);
	dump_caps(model->arena, status->cap_bnd, &entry->n_cap_bnd, &entry->cap_bnd);
	/* Fields that older readers do not know are left out while they say nothing. */
	if (status->cap_amb)
		dump_caps(model->arena, status->cap_amb, &entry->n_cap_amb, &entry->cap_amb);
	entry->has_no_new_privs = status->no_new_privs;
	entry->no_new_privs = status->no_new_privs;
	return entry;
}

bool creds_are_same(const struct proc_status *a, const struct proc_status *b)
{
	return !memcmp(a->uids, b->uids, sizeof(a->uids)) && !memcmp(a->gids, b->gids, sizeof(a->gids)) &&
	       a->n_groups == b->n_groups &&
	       (!a->n_groups || !memcmp(a->groups, b->groups, a->n_groups * sizeof(gid_t))) &&
	       a->cap_inh == b->cap_inh && a->cap_prm == b->cap_prm && a->cap_eff == b->cap_eff &&
	       a->cap_bnd == b->cap_bnd && a->cap_amb == b->cap_amb;
}

static int creds_dump(struct task_ctx *ctx, struct batch *batch, void *priv)
{
	const struct remote_thread *thread = ctx->thread;
	cleanup_with(proc_status_free) struct proc_status status = { 0 };
	long securebits = batch_ret(batch, *(int *)priv);
	CredsEntry *entry;
	int err;

	if (securebits < 0)
		return fail((int)-securebits, "Cannot read the securebits");
	err = proc_read_status(thread->process->pid, thread->tid, &status);
	if (err)
		return err;
	/* Of the leader the plan has said so. */
	if (!ctx->leader && status.n_groups > GROUPS_MAX)
		return fail(ENOTSUP, "The thread is in %zu groups, at most %d can be saved", status.n_groups,
			    GROUPS_MAX);
	entry = creds_entry_new(ctx->model, &status);
	entry->secbits = (uint32_t)securebits;
	ctx->core->thread_core->creds = entry;
	return 0;
}

/* --- restore ----------------------------------------------------------------------------- */

static uint64_t caps_word(size_t n, const uint32_t *words)
{
	return n == CAP_WORDS ? (uint64_t)words[1] << 32 | words[0] : 0;
}

static struct caps wanted_caps(const CredsEntry *creds)
{
	return (struct caps){
		.inh = caps_word(creds->n_cap_inh, creds->cap_inh),
		.prm = caps_word(creds->n_cap_prm, creds->cap_prm),
		.eff = caps_word(creds->n_cap_eff, creds->cap_eff),
		.bnd = caps_word(creds->n_cap_bnd, creds->cap_bnd),
		.amb = caps_word(creds->n_cap_amb, creds->cap_amb),
	};
}

int creds_check(const CredsEntry *creds)
{
	struct caps caps;

	if (creds->n_cap_inh != CAP_WORDS || creds->n_cap_prm != CAP_WORDS || creds->n_cap_eff != CAP_WORDS ||
	    creds->n_cap_bnd != CAP_WORDS || (creds->n_cap_amb && creds->n_cap_amb != CAP_WORDS))
		return fail(EINVAL, "A set of capabilities has not %d words", CAP_WORDS);
	caps = wanted_caps(creds);
	if (caps.eff & ~caps.prm || caps.amb & ~(caps.prm & caps.inh))
		return fail(EINVAL,
			    "Impossible capabilities: permitted %#lx effective %#lx inheritable %#lx ambient %#lx",
			    caps.prm, caps.eff, caps.inh, caps.amb);
	if (creds->uid == ID_NONE || creds->euid == ID_NONE || creds->suid == ID_NONE || creds->fsuid == ID_NONE ||
	    creds->gid == ID_NONE || creds->egid == ID_NONE || creds->sgid == ID_NONE || creds->fsgid == ID_NONE)
		return fail(EINVAL, "-1 is no user or group id");
	if (creds->n_groups > GROUPS_MAX)
		return fail(ENOTSUP, "The thread is in %zu groups, at most %d can be restored", creds->n_groups,
			    GROUPS_MAX);
	return 0;
}

static int creds_validate(const struct task_ctx *ctx)
{
	const CredsEntry *creds = ctx->core->thread_core->creds;

	return creds ? creds_check(creds) : 0;
}

/* What a puppet has and what it is to have. */
struct change {
	const CredsEntry *wanted;
	struct caps caps;
	const struct proc_status *now;
	uint32_t securebits_now;
	bool ids, groups;
};

static bool same_ids(const CredsEntry *wanted, const struct proc_status *now)
{
	const uint32_t uids[] = { wanted->uid, wanted->euid, wanted->suid, wanted->fsuid };
	const uint32_t gids[] = { wanted->gid, wanted->egid, wanted->sgid, wanted->fsgid };

	return !memcmp(uids, now->uids, sizeof(uids)) && !memcmp(gids, now->gids, sizeof(gids));
}

static bool same_groups(const CredsEntry *wanted, const struct proc_status *now)
{
	return wanted->n_groups == now->n_groups &&
	       (!now->n_groups || !memcmp(wanted->groups, now->groups, now->n_groups * sizeof(gid_t)));
}

static int check_reachable(const struct task_ctx *ctx, const struct change *change)
{
	const struct caps *caps = &change->caps;
	const struct proc_status *now = change->now;
	uint64_t missing = (caps->prm & ~now->cap_prm) | (caps->inh & ~(now->cap_inh | now->cap_bnd));

	if (missing)
		return fail(EPERM,
			    "The thread had capabilities that criu itself lacks here (%#lx): run restore with them",
			    missing);
	if (ctx->leader && caps->bnd & ~now->cap_bnd)
		pr_warn("The bounding set will lack capabilities %#lx, which criu itself lacks",
			caps->bnd & ~now->cap_bnd);
	return 0;
}

static void queue_capset(struct batch *batch, const char *what, uint64_t inh, uint64_t prm, uint64_t eff)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[CAP_WORDS];

	for (int i = 0; i < CAP_WORDS; i++)
		data[i] = (struct __user_cap_data_struct){
			.inheritable = (uint32_t)(inh >> 32 * i),
			.permitted = (uint32_t)(prm >> 32 * i),
			.effective = (uint32_t)(eff >> 32 * i),
		};
	batch_must(batch, what, __NR_capset, batch_data(batch, &header, sizeof(header)).v,
		   batch_data(batch, data, sizeof(data)).v);
}

static void queue_bounding_set(struct batch *batch, const struct change *change)
{
	for (int cap = 0; cap < N_CAPS; cap++)
		if (change->now->cap_bnd & ~change->caps.bnd & 1UL << cap)
			batch_must(batch, "lower the bounding set", __NR_prctl, PR_CAPBSET_DROP, cap);
}

/* The kernel reports no failure of setfsuid and setfsgid; with the capabilities held here there is none. */
static void queue_ids(struct batch *batch, const CredsEntry *wanted)
{
	batch_must(batch, "set the group ids", __NR_setresgid, wanted->gid, wanted->egid, wanted->sgid);
	batch_add(batch, __NR_setfsgid, wanted->fsgid);
	batch_must(batch, "set the user ids", __NR_setresuid, wanted->uid, wanted->euid, wanted->suid);
	batch_add(batch, __NR_setfsuid, wanted->fsuid);
}

static void queue_ambient_set(struct batch *batch, const struct change *change)
{
	if (change->caps.amb == change->now->cap_amb)
		return;
	batch_must(batch, "clear the ambient set", __NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
	for (int cap = 0; cap < N_CAPS; cap++)
		if (change->caps.amb & 1UL << cap)
			batch_must(batch, "raise an ambient capability", __NR_prctl, PR_CAP_AMBIENT,
				   PR_CAP_AMBIENT_RAISE, cap);
}

static int queue_change(struct batch *batch, const struct change *change)
{
	const CredsEntry *wanted = change->wanted;
	const struct caps *caps = &change->caps;
	const struct proc_status *now = change->now;
	size_t groups_bytes = wanted->n_groups * sizeof(gid_t);
	int err = batch_room(batch, 2 * N_CAPS + 16, groups_bytes + 256);

	if (err)
		return err;
	if (change->groups)
		batch_must(batch, "set the groups", __NR_setgroups, wanted->n_groups,
			   batch_data(batch, wanted->groups, groups_bytes).v);
	if (change->ids)
		batch_must(batch, "set securebits for the change of ids", __NR_prctl, PR_SET_SECUREBITS,
			   change->securebits_now | SECUREBITS_DURING_CHANGE);
	if (caps->inh != now->cap_inh || now->cap_eff != now->cap_prm)
		queue_capset(batch, "set the inheritable capabilities", caps->inh, now->cap_prm, now->cap_prm);
	queue_bounding_set(batch, change);
	if (change->ids)
		queue_ids(batch, wanted);
	queue_ambient_set(batch, change);
	if (change->ids || wanted->secbits != change->securebits_now)
		batch_must(batch, "set securebits", __NR_prctl, PR_SET_SECUREBITS, wanted->secbits);
	queue_capset(batch, "set the capabilities", caps->inh, caps->prm, caps->eff);
	return 0;
}

static bool same_caps(const struct caps *wanted, const struct proc_status *now)
{
	return wanted->inh == now->cap_inh && wanted->prm == now->cap_prm && wanted->eff == now->cap_eff &&
	       wanted->amb == now->cap_amb && !(now->cap_bnd & ~wanted->bnd);
}

static int creds_settle(struct task_ctx *ctx, struct batch *batch)
{
	const struct remote_thread *thread = ctx->thread;
	cleanup_with(proc_status_free) struct proc_status now = { 0 };
	struct change change = { .wanted = ctx->core->thread_core->creds, .now = &now };
	int err;

	if (!change.wanted)
		return 0;
	err = proc_read_status(thread->process->pid, thread->tid, &now);
	if (err)
		return err;
	change.caps = wanted_caps(change.wanted);
	/* A puppet has inherited ours, and nothing has changed them since. */
	change.securebits_now = (uint32_t)prctl(PR_GET_SECUREBITS);
	change.ids = !same_ids(change.wanted, &now);
	change.groups = !same_groups(change.wanted, &now);
	err = check_reachable(ctx, &change);
	if (err)
		return err;
	if (!change.ids && !change.groups && same_caps(&change.caps, &now) &&
	    change.wanted->secbits == change.securebits_now)
		return 0;
	return queue_change(batch, &change);
}

const struct task_attr task_creds = {
	.name = "credentials",
	.plan = creds_plan,
	.queue = creds_queue,
	.dump = creds_dump,
	.validate = creds_validate,
	.settle = creds_settle,
};

static int no_new_privs_settle(struct task_ctx *ctx, struct batch *batch)
{
	const CredsEntry *creds = ctx->core->thread_core->creds;
	int err;

	if (!creds || !creds->no_new_privs)
		return 0;
	err = batch_room(batch, 1, 0);
	if (err)
		return err;
	batch_must(batch, "set no_new_privs", __NR_prctl, PR_SET_NO_NEW_PRIVS, 1);
	return 0;
}

const struct task_attr task_no_new_privs = {
	.name = "no_new_privs",
	.settle = no_new_privs_settle,
};
