#include <string.h>

#include "kernel/syscalls.h"
#include "task/task.h"
#include "util/log.h"

#define MAX_FUTEXES 2048 /* the kernel follows no longer list */
#define PI_BIT	    1UL	 /* in pointers to nodes, of priority-inheriting futexes */

/* struct robust_list_head */
struct robust_head {
	uint64_t next;
	int64_t futex_offset; /* from a node to its futex */
	uint64_t pending;     /* a node that is being linked or unlinked; 0 if there is none */
};

struct disarming {
	struct remote_process *process;
	struct robust_head head;
	bool (*stays)(void *arg, uint64_t addr);
	void *arg;
};

static bool node_stays(const struct disarming *disarming, uint64_t node)
{
	return node && disarming->stays(disarming->arg, (node & ~PI_BIT) + disarming->head.futex_offset);
}

static int write_pointer(const struct disarming *disarming, uint64_t addr, uint64_t value)
{
	return remote_write(disarming->process, (struct remote_addr){ addr }, &value, sizeof(value));
}

/* Link those that stay to each other, in their order. */
static int relink(const struct disarming *disarming, uint64_t head_addr)
{
	uint64_t last = head_addr, node = disarming->head.next;
	int err = 0;

	for (int n = 0; !err && (node & ~PI_BIT) != head_addr && n < MAX_FUTEXES; n++) {
		uint64_t next;

		err = remote_read(disarming->process, (struct remote_addr){ node & ~PI_BIT }, &next, sizeof(next));
		if (!err && node_stays(disarming, node)) {
			err = write_pointer(disarming, last, node);
			last = node & ~PI_BIT;
		}
		node = next;
	}
	return err ?: write_pointer(disarming, last, head_addr);
}

void task_disarm(const struct remote_thread *thread, bool (*stays)(void *arg, uint64_t addr), void *arg)
{
	struct disarming disarming = { .process = thread->process, .stays = stays, .arg = arg };
	struct robust_head *head = &disarming.head;
	uint64_t addr, bytes;
	int err;

	if (sys_get_robust_list(thread->tid, &addr, &bytes) || !addr)
		return;
	/* A head that can't be read is none for the kernel either. */
	if (remote_read(thread->process, (struct remote_addr){ addr }, head, sizeof(*head)) ||
	    (head->next == addr && !head->pending))
		return;
	err = relink(&disarming, addr);
	if (!err && !node_stays(&disarming, head->pending))
		err = write_pointer(&disarming, addr + offsetof(struct robust_head, pending), 0);
	if (err)
		pr_warn("thread %d: robust futexes it holds may look abandoned to processes outside the tree",
			thread->tid);
}
