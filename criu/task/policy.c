/*
 * What a thread has asked of the processor and of the kernel with prctl(2):
 * whether reading the time stamp counter is a fault, what to do at a memory
 * error, whether it is needed to write memory out (I/O flusher), and the
 * mitigations against speculation.
 *
 * The kernel keeps all of it per thread, hands it on to children, and shows
 * and changes it only for the thread itself. Saved only when not as usual.
 *
 * Order: before filters, which may turn mitigations on for good, and before
 * credentials, since an I/O flusher needs CAP_SYS_RESOURCE.
 *
 * Lost: an I/O flusher that has given up CAP_SYS_RESOURCE, and so may not even
 * see it; what the machine's kernel does not let threads choose.
 */
#include "task/attrs.h"

#include <linux/prctl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "util/log.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#define PR_GET_IO_FLUSHER 58
#endif
#ifndef PR_SPEC_L1D_FLUSH
#define PR_SPEC_L1D_FLUSH 2
#endif

#define BIT(n) (1U << (n))
#define SPEC_VALUES                                                                                                    \
	(BIT(PR_SPEC_ENABLE) | BIT(PR_SPEC_DISABLE) | BIT(PR_SPEC_FORCE_DISABLE) | BIT(PR_SPEC_DISABLE_NOEXEC))

/* One choice, and its field in thread_extra_entry. */
struct policy {
	const char *what; /* the call is for */
	int get_op, set_op;
	int arg; /* of set_op, before the value, if has_arg; of get_op, if spec */
	bool has_arg;
	bool by_pointer; /* get_op stores the value */
	bool spec;	 /* speculation: the value has a bit that says whether it can be changed */
	uint32_t usual;
	uint32_t values; /* a bit for each that can be set */
	size_t has_at, value_at;
};

#define FIELD(name) .has_at = offsetof(ThreadExtraEntry, has_##name), .value_at = offsetof(ThreadExtraEntry, name)
#define SPECULATION(which)                                                                                             \
	.get_op = PR_GET_SPECULATION_CTRL, .set_op = PR_SET_SPECULATION_CTRL, .arg = which, .has_arg = true,           \
	.spec = true, .values = SPEC_VALUES

static const struct policy policies[] = {
	{ .what = "set the fault at reading the time stamp counter",
	  .get_op = PR_GET_TSC,
	  .set_op = PR_SET_TSC,
	  .by_pointer = true,
	  .usual = PR_TSC_ENABLE,
	  .values = BIT(PR_TSC_ENABLE) | BIT(PR_TSC_SIGSEGV),
	  FIELD(tsc) },
	{ .what = "set the policy at memory errors",
	  .get_op = PR_MCE_KILL_GET,
	  .set_op = PR_MCE_KILL,
	  .arg = PR_MCE_KILL_SET,
	  .has_arg = true,
	  .usual = PR_MCE_KILL_DEFAULT,
	  .values = BIT(PR_MCE_KILL_LATE) | BIT(PR_MCE_KILL_EARLY) | BIT(PR_MCE_KILL_DEFAULT),
	  FIELD(mce_kill) },
	{ .what = "set the flag of an I/O flusher",
	  .get_op = PR_GET_IO_FLUSHER,
	  .set_op = PR_SET_IO_FLUSHER,
	  .usual = 0,
	  .values = BIT(0) | BIT(1),
	  FIELD(io_flusher) },
	{ .what = "set the mitigation of speculative store bypass",
	  SPECULATION(PR_SPEC_STORE_BYPASS),
	  .usual = PR_SPEC_ENABLE,
	  FIELD(store_bypass) },
	{ .what = "set the mitigation of indirect branch speculation",
	  SPECULATION(PR_SPEC_INDIRECT_BRANCH),
	  .usual = PR_SPEC_ENABLE,
	  FIELD(indirect_branch) },
	{ .what = "set the flushing of the first level data cache",
	  SPECULATION(PR_SPEC_L1D_FLUSH),
	  .usual = PR_SPEC_DISABLE,
	  FIELD(l1d_flush) },
};

static protobuf_c_boolean *has_field(const struct policy *policy, ThreadExtraEntry *extra)
{
	return (protobuf_c_boolean *)((char *)extra + policy->has_at);
}

static uint32_t *value_field(const struct policy *policy, ThreadExtraEntry *extra)
{
	return (uint32_t *)((char *)extra + policy->value_at);
}

static bool can_choose(const struct policy *policy, long answer)
{
	return policy->spec ? answer >= 0 && answer & PR_SPEC_PRCTL : answer >= 0;
}

static uint32_t chosen(const struct policy *policy, long answer)
{
	if (!can_choose(policy, answer))
		return policy->usual;
	return (uint32_t)(policy->spec ? answer & ~(long)PR_SPEC_PRCTL : answer);
}

/* --- dump ----------------------------------------------------------------------------- */

struct policy_priv {
	int ops[ARRAY_SIZE(policies)];
	struct remote_addr out[ARRAY_SIZE(policies)];
};

static int policy_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	struct policy_priv *priv = arena_new_of(ctx->model->arena, struct policy_priv);

	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		uint64_t arg = policies[i].spec ? (uint64_t)policies[i].arg : 0;

		if (policies[i].by_pointer)
			arg = (priv->out[i] = batch_data(batch, NULL, sizeof(int))).v;
		priv->ops[i] = batch_add(batch, __NR_prctl, (uint64_t)policies[i].get_op, arg);
	}
	*ret_priv = priv;
	return 0;
}

static int policy_dump(struct task_ctx *ctx, struct batch *batch, void *priv_arg)
{
	const struct policy_priv *priv = priv_arg;

	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		const struct policy *policy = &policies[i];
		/* An error: this kernel, machine or thread has no such choice. */
		long answer = batch_ret(batch, priv->ops[i]);
		ThreadExtraEntry *extra;
		uint32_t value;

		if (!answer && policy->by_pointer)
			answer = *(const int *)batch_local(batch, priv->out[i]);
		value = chosen(policy, answer);
		if (value == policy->usual)
			continue;
		extra = thread_extra_entry(ctx->model, ctx->core->thread_core);
		*has_field(policy, extra) = true;
		*value_field(policy, extra) = value;
	}
	return 0;
}

/* --- restore ----------------------------------------------------------------------------- */

static int policy_validate(const struct task_ctx *ctx)
{
	ThreadExtraEntry *extra = ctx->core->thread_core->extra;

	for (size_t i = 0; extra && i < ARRAY_SIZE(policies); i++) {
		uint32_t value = *value_field(&policies[i], extra);

		if (*has_field(&policies[i], extra) && (value >= 32 || !(policies[i].values & BIT(value))))
			return fail(EINVAL, "Bad value %u to %s", value, policies[i].what);
	}
	return 0;
}

/* Of criu itself, from which a puppet has inherited it. */
static long own_answer(const struct policy *policy)
{
	int value;

	if (policy->by_pointer)
		return prctl(policy->get_op, &value, 0, 0, 0) ? -1 : value;
	return prctl(policy->get_op, policy->spec ? policy->arg : 0, 0, 0, 0);
}

static void queue_set(struct batch *batch, const struct policy *policy, const char *what, uint32_t value)
{
	uint64_t args[6] = { (uint64_t)policy->set_op, (uint64_t)policy->arg, value };

	if (!policy->has_arg)
		args[1] = value, args[2] = 0;
	batch_add_args(batch, what, __NR_prctl, args);
}

static int policy_settle(struct task_ctx *ctx, struct batch *batch)
{
	ThreadExtraEntry *extra = ctx->core->thread_core->extra;
	int err = batch_room(batch, ARRAY_SIZE(policies), 0);

	for (size_t i = 0; !err && i < ARRAY_SIZE(policies); i++) {
		const struct policy *policy = &policies[i];
		bool wanted = extra && *has_field(policy, extra);
		uint32_t value = wanted ? *value_field(policy, extra) : policy->usual;
		long own = own_answer(policy);

		if (value == chosen(policy, own))
			continue;
		if (policy->spec && !can_choose(policy, own))
			pr_warn("Cannot %s as it was: this kernel decides it for all", policy->what);
		else
			/* What criu itself was confined to for good may stay. */
			queue_set(batch, policy, wanted ? policy->what : NULL, value);
	}
	return err;
}

const struct task_attr task_policy = {
	.name = "policies",
	.queue = policy_queue,
	.dump = policy_dump,
	.validate = policy_validate,
	.settle = policy_settle,
};
