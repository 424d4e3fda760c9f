/* Images are input: whatever no kernel could have given is refused before the first fork. */
#include "task/task.h"

#include <errno.h>
#include <linux/filter.h>
#include <signal.h>

#include "arch.h"
#include "util/log.h"
#include "util/test.h"

#define N_SIGACTIONS 62
#define PERMITTED    0x2000
#define INHERITABLE  0x2000

static void *alloc(void *arena, size_t bytes)
{
	return arena_alloc(arena, bytes);
}

static void add_registers(struct model *model, CoreEntry *core)
{
	static struct arch_xstate xstate = { .bytes = 576 };
	struct user_regs_struct regs = { .rip = 0x400000, .cs = 0x33, .ss = 0x2b };
	struct user_fpregs_struct *legacy = (void *)xstate.data;

	legacy->mxcsr = 0x1f80;
	CHECK_EQ(arch_core_dump(core, &regs, &xstate, alloc, model->arena), 0);
}

static uint32_t *caps(struct model *model, uint32_t low, size_t *ret_n)
{
	uint32_t words[2] = { low, 0 };

	*ret_n = ARRAY_SIZE(words);
	return arena_memdup(model->arena, words, sizeof(words));
}

static void add_creds(struct model *model, ThreadCoreEntry *thread_core)
{
	CredsEntry *creds = model_new(model, CredsEntry, creds_entry__init);

	creds->cap_inh = caps(model, INHERITABLE, &creds->n_cap_inh);
	creds->cap_prm = caps(model, PERMITTED, &creds->n_cap_prm);
	creds->cap_eff = caps(model, PERMITTED, &creds->n_cap_eff);
	creds->cap_bnd = caps(model, 0, &creds->n_cap_bnd);
	creds->cap_amb = caps(model, PERMITTED & INHERITABLE, &creds->n_cap_amb);
	thread_core->creds = creds;
}

static void add_timers(struct model *model, TaskCoreEntry *tc)
{
	TaskTimersEntry *timers = model_new(model, TaskTimersEntry, task_timers_entry__init);

	timers->real = model_new(model, ItimerEntry, itimer_entry__init);
	timers->virt = model_new(model, ItimerEntry, itimer_entry__init);
	timers->prof = model_new(model, ItimerEntry, itimer_entry__init);
	timers->n_posix = 1;
	timers->posix = arena_array(model->arena, PosixTimerEntry *, 1);
	timers->posix[0] = model_new(model, PosixTimerEntry, posix_timer_entry__init);
	tc->timers = timers;
}

static void add_signals(struct model *model, TaskCoreEntry *tc)
{
	SiginfoEntry *info = model_new(model, SiginfoEntry, siginfo_entry__init);

	tc->n_sigactions = N_SIGACTIONS;
	tc->sigactions = arena_array(model->arena, SaEntry *, N_SIGACTIONS);
	for (int i = 0; i < N_SIGACTIONS; i++)
		tc->sigactions[i] = model_new(model, SaEntry, sa_entry__init);
	info->siginfo.len = 128;
	info->siginfo.data = arena_alloc(model->arena, info->siginfo.len);
	info->siginfo.data[0] = 10;
	tc->signals_s = model_new(model, SignalQueueEntry, signal_queue_entry__init);
	tc->signals_s->n_signals = 1;
	tc->signals_s->signals = arena_array(model->arena, SiginfoEntry *, 1);
	tc->signals_s->signals[0] = info;
}

/* Two filters, the second on top of the first. */
static void add_filters(struct model *model, ThreadCoreEntry *thread_core)
{
	SeccompEntry *all = model_new(model, SeccompEntry, seccomp_entry__init);

	all->n_seccomp_filters = 2;
	all->seccomp_filters = arena_array(model->arena, SeccompFilter *, 2);
	for (uint32_t i = 0; i < 2; i++) {
		SeccompFilter *filter = model_new(model, SeccompFilter, seccomp_filter__init);

		filter->filter.len = sizeof(struct sock_filter);
		filter->filter.data = arena_alloc(model->arena, filter->filter.len);
		filter->has_prev = i > 0;
		all->seccomp_filters[i] = filter;
	}
	model->seccomp = all;
	thread_core->has_seccomp_mode = true;
	thread_core->seccomp_mode = SECCOMP_MODE__filter;
	thread_core->has_seccomp_filter = true;
	thread_core->seccomp_filter = 1;
}

static CoreEntry *new_core(struct model *model)
{
	CoreEntry *core = model_new(model, CoreEntry, core_entry__init);
	TaskCoreEntry *tc = model_new(model, TaskCoreEntry, task_core_entry__init);
	TaskRlimitsEntry *rlimits = model_new(model, TaskRlimitsEntry, task_rlimits_entry__init);

	core->tc = tc;
	core->thread_core = model_new(model, ThreadCoreEntry, thread_core_entry__init);
	tc->task_state = TASK_STATE_ALIVE;
	tc->comm = arena_strdup(model->arena, "fifteen letters");
	rlimits->n_rlimits = 1;
	rlimits->rlimits = arena_array(model->arena, RlimitEntry *, 1);
	rlimits->rlimits[0] = model_new(model, RlimitEntry, rlimit_entry__init);
	tc->rlimits = rlimits;
	add_registers(model, core);
	add_creds(model, core->thread_core);
	tc->extra = model_new(model, TaskExtraEntry, task_extra_entry__init);
	tc->extra->creds = core->thread_core->creds;
	core->thread_core->extra = model_new(model, ThreadExtraEntry, thread_extra_entry__init);
	core->thread_core->extra->has_tsc = true;
	core->thread_core->extra->tsc = 2;
	core->thread_core->extra->has_store_bypass = true;
	core->thread_core->extra->store_bypass = 8;
	add_timers(model, tc);
	add_signals(model, tc);
	add_filters(model, core->thread_core);
	return core;
}

#define REFUSES(ctx, field, value, err)                                                                                \
	do {                                                                                                           \
		__typeof__(field) old_ = (field);                                                                      \
		(field) = (value);                                                                                     \
		CHECK_EQ(task_validate(ctx), err);                                                                     \
		(field) = old_;                                                                                        \
	} while (0)

static void test_task_part(const struct task_ctx *ctx)
{
	TaskCoreEntry *tc = ctx->core->tc;
	PosixTimerEntry *timer = tc->timers->posix[0];

	REFUSES(ctx, tc->task_state, 6, -EINVAL);
	REFUSES(ctx, tc->comm, (char *)"sixteen letters.", -EINVAL);
	REFUSES(ctx, tc->personality, UINT32_MAX, -EINVAL);
	REFUSES(ctx, tc->extra->exit_signal, 65, -EINVAL);
	REFUSES(ctx, tc->extra->autogroup_nice, 20, -EINVAL);
	REFUSES(ctx, tc->extra->autogroup_nice, -21, -EINVAL);
	REFUSES(ctx, tc->extra->xstate_permitted, 1ULL << 17, -ENOTSUP);
	REFUSES(ctx, tc->extra->creds->n_cap_prm, 1, -EINVAL);
	REFUSES(ctx, tc->n_sigactions, N_SIGACTIONS - 1, -EINVAL);
	REFUSES(ctx, tc->sigactions[5]->compat_sigaction, true, -ENOTSUP);
	REFUSES(ctx, tc->membarrier_registration_mask, 1, -ENOTSUP);
	REFUSES(ctx, tc->oom_score_adj, 1001, -EINVAL);
	REFUSES(ctx, tc->rlimits->rlimits[0]->cur, 1, -EINVAL);
	REFUSES(ctx, tc->timers->real->vusec, 1000000, -EINVAL);
	REFUSES(ctx, timer->vnsec, 1000000000, -EINVAL);
	REFUSES(ctx, timer->isec, UINT64_MAX, -EINVAL);
	REFUSES(ctx, timer->it_id, UINT32_MAX, -EINVAL);
	REFUSES(ctx, timer->clock_id, (uint32_t)-14, -ENOTSUP);
	REFUSES(ctx, tc->signals_s->signals[0]->siginfo.len, 127, -EINVAL);
	REFUSES(ctx, tc->signals_s->signals[0]->siginfo.data[0], 65, -EINVAL);
	REFUSES(ctx, tc->signals_s->signals[0]->siginfo.data[0], 0, -EINVAL);
}

static void test_thread_part(const struct task_ctx *ctx)
{
	ThreadCoreEntry *thread_core = ctx->core->thread_core;
	CredsEntry *creds = thread_core->creds;

	REFUSES(ctx, creds->n_cap_prm, 1, -EINVAL);
	REFUSES(ctx, creds->n_cap_amb, 3, -EINVAL);
	REFUSES(ctx, creds->cap_eff[1], 1, -EINVAL);
	REFUSES(ctx, creds->cap_amb[0], PERMITTED | 1, -EINVAL);
	REFUSES(ctx, creds->suid, UINT32_MAX, -EINVAL);
	REFUSES(ctx, creds->n_groups, 1 << 20, -ENOTSUP);
	REFUSES(ctx, thread_core->sched_policy, 6, -ENOTSUP);
	REFUSES(ctx, thread_core->sched_policy, 1, -EINVAL);
	REFUSES(ctx, thread_core->sched_prio, 1, -EINVAL);
	REFUSES(ctx, thread_core->sched_nice, 20, -EINVAL);
	REFUSES(ctx, thread_core->pdeath_sig, 65, -EINVAL);
	REFUSES(ctx, thread_core->futex_rla, 0x1000, -EINVAL);
	REFUSES(ctx, thread_core->extra->util_min, 1, -EINVAL);
	REFUSES(ctx, thread_core->extra->util_max, 1025, -EINVAL);
	REFUSES(ctx, thread_core->extra->tsc, 0, -EINVAL);
	REFUSES(ctx, thread_core->extra->tsc, 33, -EINVAL);
	REFUSES(ctx, thread_core->extra->store_bypass, 5, -EINVAL);
}

static void test_filters(const struct task_ctx *ctx)
{
	ThreadCoreEntry *thread_core = ctx->core->thread_core;
	SeccompEntry *all = ctx->model->seccomp;

	REFUSES(ctx, thread_core->has_seccomp_filter, false, -EINVAL);
	REFUSES(ctx, thread_core->seccomp_filter, 2, -EINVAL);
	REFUSES(ctx, all->seccomp_filters[1]->prev, 1, -EINVAL);
	REFUSES(ctx, all->seccomp_filters[0]->has_prev, true, -EINVAL);
	REFUSES(ctx, all->seccomp_filters[0]->filter.len, 7, -EINVAL);
	REFUSES(ctx, all->seccomp_filters[0]->filter.len, 0, -EINVAL);
	REFUSES(ctx, all->seccomp_filters[1]->filter.len, 8 * 4097, -EINVAL);
	REFUSES(ctx, all->seccomp_filters[1]->flags, 1, -ENOTSUP);
	REFUSES(ctx, ctx->model->seccomp, NULL, -EINVAL);
}

static void test_zombie(const struct task_ctx *ctx)
{
	TaskCoreEntry *tc = ctx->core->tc;

	tc->task_state = TASK_STATE_DEAD;
	REFUSES(ctx, tc->exit_code, 0, 0);
	REFUSES(ctx, tc->exit_code, 0xff00, 0);
	REFUSES(ctx, tc->exit_code, 64, 0);
	REFUSES(ctx, tc->exit_code, 0x80 | SIGSEGV, 0);
	REFUSES(ctx, tc->exit_code, 0x10000, -EINVAL);
	REFUSES(ctx, tc->exit_code, 65, -EINVAL);
	REFUSES(ctx, tc->exit_code, 0x7f, -EINVAL);
	REFUSES(ctx, tc->exit_code, 0x80, -EINVAL);
	REFUSES(ctx, tc->exit_code, 0x100 | SIGKILL, -EINVAL);
	REFUSES(ctx, tc->exit_code, SIGSTOP << 8 | 0x7f, -EINVAL);
	REFUSES(ctx, tc->exit_code, SIGCHLD, -EINVAL);
	tc->task_state = TASK_STATE_ALIVE;
}

static void test_missing_parts(const struct task_ctx *ctx)
{
	REFUSES(ctx, ctx->core->tc, NULL, -EINVAL);
	REFUSES(ctx, ctx->core->thread_core, NULL, -EINVAL);
	REFUSES(ctx, ctx->core->thread_info, NULL, -EINVAL);
}

int main(void)
{
	cleanup_with(arena_freep) struct arena *arena = arena_new();
	struct model model = { .arena = arena };
	CoreEntry *core = new_core(&model);
	struct task_image image = { .core = &core, .n_core = 1 };
	const struct task_ctx ctx = { .model = &model, .image = &image, .core = core, .leader = true };

	CHECK_EQ(task_validate(&ctx), 0);
	CHECK_EQ(task_pending_signals(&image), 1UL << 9);
	test_task_part(&ctx);
	test_thread_part(&ctx);
	test_filters(&ctx);
	test_zombie(&ctx);
	test_missing_parts(&ctx);
	CHECK_EQ(task_validate(&ctx), 0);
	return test_end();
}
