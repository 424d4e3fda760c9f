/*
 * Keyrings: keyrings(7).
 *
 * The kernel keeps one of the thread, one of the process and one of the session. The first two exist only where
 * somebody asked for them and can be asked for by the task itself without making them. Asking for a session's would
 * give one to a task that has none, so that is left alone. All are lost: keys have content that nobody may read.
 */
#include "task/attrs.h"

#include <linux/keyctl.h>
#include <sys/syscall.h>

#include "util/log.h"

static const struct {
	int id;
	const char *name;
} keyrings[] = {
	{ KEY_SPEC_THREAD_KEYRING, "thread" },
	{ KEY_SPEC_PROCESS_KEYRING, "process" },
};

struct keys_priv {
	int ops[ARRAY_SIZE(keyrings)];
};

static int keys_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	struct keys_priv *priv = arena_new_of(ctx->model->arena, struct keys_priv);

	for (size_t i = 0; i < ARRAY_SIZE(keyrings); i++)
		priv->ops[i] = batch_add(batch, __NR_keyctl, KEYCTL_GET_KEYRING_ID, (uint64_t)keyrings[i].id, 0);
	*ret_priv = priv;
	return 0;
}

static int keys_dump(struct task_ctx *ctx, struct batch *batch, void *priv_arg)
{
	const struct keys_priv *priv = priv_arg;

	for (size_t i = 0; i < ARRAY_SIZE(keyrings); i++)
		if (batch_ret(batch, priv->ops[i]) > 0)
			pr_warn("It has a %s keyring (%lx), which is not saved: restored, it will lack the keys in it",
				keyrings[i].name, batch_ret(batch, priv->ops[i]));
	return 0;
}

const struct task_attr task_keys = {
	.name = "keyrings",
	.queue = keys_queue,
	.dump = keys_dump,
};
