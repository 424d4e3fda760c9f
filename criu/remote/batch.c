#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "remote/batch.h"
#include "remote/call.h"
#include "remote/nap.h"
#include "remote/ptrace.h"
#include "stub.h"
#include "util/log.h"

/* Layout of a slot: code, then the calls, then their data. */
#define SLOT_OPS_OFFSET	 ARCH_SLOT_CODE_BYTES
#define SLOT_DATA_OFFSET (16 * 1024UL)

_Static_assert(SLOT_OPS_OFFSET + BATCH_MAX_OPS * 64 <= SLOT_DATA_OFFSET, "the calls fit before the data");
_Static_assert(SLOT_DATA_OFFSET + BATCH_DATA_BYTES == REMOTE_SLOT_BYTES, "the data end the slot");

/* As the stub's batch runner reads it. */
struct batch_op {
	uint64_t nr;
	uint64_t args[6];
	int64_t ret;
};

struct batch {
	struct remote_thread *thread;
	size_t n_ops, n_data; /* queued, or of the last run */
	bool fresh;	      /* it has run: the next add starts over */
	bool naps;	      /* this run ends in a nap, not with a signal */
	bool masked;	      /* signals are blocked meanwhile */
	const char *what[BATCH_MAX_OPS];
	uint8_t code[ARCH_SLOT_CODE_BYTES];
	struct batch_op ops[BATCH_MAX_OPS];
	uint8_t data[BATCH_DATA_BYTES] __attribute__((aligned(16)));
};

int batch_new(struct remote_thread *thread, struct batch **ret)
{
	if (!thread->process->scratch.v)
		return fail(EINVAL, "task %d: no scratch area for remote calls", thread->process->pid);
	/* Not zeroed: data is cleared as it is handed out. */
	struct batch *batch = malloc(sizeof(*batch));

	if (!batch)
		return fail(ENOMEM, "thread %d: no memory for its calls", thread->tid);
	batch->thread = thread;
	batch->n_ops = batch->n_data = 0;
	batch->fresh = false;
	*ret = batch;
	return 0;
}

void batch_free(struct batch *batch)
{
	free(batch);
}

struct remote_thread *batch_thread(const struct batch *batch)
{
	return batch->thread;
}

static void start_over(struct batch *batch)
{
	if (!batch->fresh)
		return;
	batch->fresh = false;
	batch->n_ops = batch->n_data = 0;
}

int batch_room(struct batch *batch, size_t n_ops, size_t data_bytes)
{
	start_over(batch);
	if (n_ops > BATCH_MAX_OPS || data_bytes > BATCH_DATA_BYTES)
		return fail(E2BIG, "thread %d: a batch of %zu calls and %zu bytes is too large", batch->thread->tid,
			    n_ops, data_bytes);
	/* Each piece of data may lose 15 bytes to alignment. */
	if (batch->n_ops + n_ops <= BATCH_MAX_OPS && batch->n_data + data_bytes + 16 * n_ops <= BATCH_DATA_BYTES)
		return 0;
	int err = batch_run(batch);

	start_over(batch);
	return err;
}

static struct remote_addr data_addr(const struct batch *batch, size_t offset)
{
	return remote_addr_at(batch->thread->slot, SLOT_DATA_OFFSET + offset);
}

struct remote_addr batch_data(struct batch *batch, const void *init, size_t bytes)
{
	start_over(batch);
	size_t at = batch->n_data;

	/* Out of promise: an address that no call can use, so that the call fails and says so. */
	if (at + bytes > BATCH_DATA_BYTES)
		return (struct remote_addr){ UINT64_MAX };
	if (init)
		memcpy(batch->data + at, init, bytes);
	else
		memset(batch->data + at, 0, bytes);
	batch->n_data = (at + bytes + 15) & ~15UL;
	return data_addr(batch, at);
}

int batch_add_args(struct batch *batch, const char *what, long nr, const uint64_t args[6])
{
	start_over(batch);
	if (batch->n_ops == BATCH_MAX_OPS)
		return -1;
	int op = batch->n_ops++;

	batch->what[op] = what;
	batch->ops[op] = (struct batch_op){ .nr = nr };
	memcpy(batch->ops[op].args, args, sizeof(batch->ops[op].args));
	return op;
}

/* Whether the thread's filters, were we to die now, would let it get through. */
static bool is_harmless(const struct batch *batch)
{
	const struct remote_thread *thread = batch->thread;
	const struct remote_process *process = thread->process;
	const uint64_t end_args[6] = { process->pid, thread->tid, process->end_signo };
	uint64_t op_ip = thread->slot.v + arch_stub_offset(ARCH_STUB_BATCH_OP);
	uint64_t end_ip = thread->slot.v + arch_stub_offset(ARCH_STUB_BATCH_STOP);

	if (!thread->confine)
		return true;
	for (size_t i = 0; i < batch->n_ops; i++)
		if (!remote_is_harmless(thread, op_ip, batch->ops[i].nr, batch->ops[i].args))
			return false;
	return remote_heals_harmlessly(thread, thread->slot) &&
	       remote_is_harmless(thread, end_ip, process->end_signo ? SYS_tgkill : SYS_rt_sigtimedwait, end_args);
}

static int write_slot(struct batch *batch)
{
	struct remote_thread *thread = batch->thread;
	struct remote_process *process = thread->process;
	const struct arch_batch header = {
		.ops = thread->slot.v + SLOT_OPS_OFFSET,
		.n_ops = batch->n_ops,
		.keep_mask = !batch->masked,
		.signo = batch->naps ? 0 : process->end_signo,
		.pid = process->pid,
		.tid = thread->tid,
	};
	int err;

	arch_stub_build(batch->code, &thread->resume_regs, thread->sigmask, true);
	arch_stub_arm(batch->code, thread->slot.v, &header);
	_Static_assert(offsetof(struct batch, ops) - offsetof(struct batch, code) == SLOT_OPS_OFFSET,
		       "code and calls are written in one go");
	err = remote_write(process, thread->slot, batch->code, SLOT_OPS_OFFSET + batch->n_ops * sizeof(batch->ops[0]));
	if (!err && batch->n_data)
		err = remote_write(process, data_addr(batch, 0), batch->data, batch->n_data);
	return err;
}

/* Where the thread starts. In every gap it is itself, or heals, or runs the batch and heals. */
static int aim(struct batch *batch, struct user_regs_struct *ret)
{
	struct remote_thread *thread = batch->thread;
	struct remote_process *process = thread->process;
	int err = 0;

	*ret = thread->resume_regs;
	ret->rip = thread->slot.v + arch_stub_offset(ARCH_STUB_BATCH);
	ret->orig_rax = -1;
	if (!batch->masked)
		return remote_unpark(thread);
	if (process->puppet)
		ret->rsp = 0; /* sigaltstack(2) must not think it is in use */
	else if (thread->stub.v != thread->slot.v)
		err = remote_park(thread, thread->slot);
	if (!err)
		err = ptrace_set_sigmask(thread->tid, batch->naps ? ~0ULL : ~(1ULL << (process->end_signo - 1)));
	return err;
}

int batch_start(struct batch *batch)
{
	struct remote_thread *thread = batch->thread;
	struct user_regs_struct regs;
	int err;

	start_over(batch);
	batch->masked = thread->process->puppet || is_harmless(batch);
	batch->naps = !batch->masked || !thread->process->end_signo;
	if (!batch->n_ops || batch->naps)
		return 0;
	err = write_slot(batch);
	if (!err)
		err = aim(batch, &regs);
	if (!err)
		err = ptrace_set_regs(thread->tid, &regs);
	return err ? err : ptrace_cont(thread->tid, 0);
}

/* The end signal counts only where the stub sends it: one of a dead predecessor may come too. */
static bool at_end(struct batch *batch, int status, int *ret_err)
{
	struct user_regs_struct regs;

	if (ptrace_classify(status) != STOP_SIGNAL || WSTOPSIG(status) != batch->thread->process->end_signo)
		return false;
	*ret_err = ptrace_get_regs(batch->thread->tid, &regs);
	return *ret_err || regs.rip == batch->thread->slot.v + arch_stub_offset(ARCH_STUB_BATCH_STOP);
}

static int wait_end(struct batch *batch)
{
	struct remote_thread *thread = batch->thread;
	int err, status;

	for (;;) {
		err = ptrace_wait(thread->tid, &status);
		if (err == -ESRCH)
			return fail(ESRCH, "thread %d: was killed from outside", thread->tid);
		if (err || at_end(batch, status, &err)) {
			thread->syscall_stop = false;
			return err;
		}
		if (ptrace_classify(status) == STOP_SIGNAL && WSTOPSIG(status) != thread->process->end_signo) {
			if (WSTOPSIG(status) != SIGSTOP)
				return fail(EFAULT, "thread %d: signal %d in a batch of remote calls", thread->tid,
					    WSTOPSIG(status));
			thread->held_signo = SIGSTOP;
		}
		err = ptrace_cont(thread->tid, 0);
		if (err)
			return err;
	}
}

static int read_slot(struct batch *batch)
{
	struct remote_process *process = batch->thread->process;
	int err = remote_read(process, remote_addr_at(batch->thread->slot, SLOT_OPS_OFFSET), batch->ops,
			      batch->n_ops * sizeof(batch->ops[0]));

	if (!err && batch->n_data)
		err = remote_read(process, data_addr(batch, 0), batch->data, batch->n_data);
	return err;
}

/* --- runs that end in a nap ------------------------------------------------------- */

static int prepare_nap(struct nap_run *run)
{
	struct batch *batch = run->arg;
	uint64_t slot = batch->thread->slot.v;
	int err;

	run->go.v = slot + arch_stub_offset(ARCH_STUB_BATCH_GO);
	run->stub = (struct remote_range){ slot, arch_stub_bytes(true) };
	run->done_from = slot + arch_stub_offset(ARCH_STUB_BATCH_DONE);
	run->done_to = slot + arch_stub_offset(ARCH_STUB_BATCH_STOP);
	err = write_slot(batch);
	return err ? err : aim(batch, &run->regs);
}

static int run_and_nap(struct batch *batch)
{
	struct nap_run run = { .thread = batch->thread, .prepare = prepare_nap, .arg = batch };

	return nap_run(&run);
}

static int check_musts(struct batch *batch)
{
	for (size_t i = 0; i < batch->n_ops; i++) {
		long ret = batch->ops[i].ret;

		if (batch->what[i] && ret < 0 && ret > -4096)
			return fail(-ret, "thread %d: cannot %s", batch->thread->tid, batch->what[i]);
	}
	return 0;
}

int batch_wait(struct batch *batch)
{
	int err;

	batch->fresh = true;
	if (!batch->n_ops)
		return 0;
	err = batch->naps ? run_and_nap(batch) : wait_end(batch);
	if (!err)
		err = read_slot(batch);
	return err ? err : check_musts(batch);
}

int batch_run(struct batch *batch)
{
	int err = batch_start(batch);

	return err ? err : batch_wait(batch);
}

long batch_ret(const struct batch *batch, int op)
{
	return op < 0 || (size_t)op >= batch->n_ops ? -EINVAL : batch->ops[op].ret;
}

void *batch_local(struct batch *batch, struct remote_addr addr)
{
	uint64_t offset = addr.v - data_addr(batch, 0).v;

	/* An address batch_data() did not give: some zeros rather than a wild pointer. */
	return batch->data + (offset < BATCH_DATA_BYTES ? offset : 0);
}
