#include <sys/syscall.h>

#include "kernel/syscalls.h"
#include "remote/call.h"
#include "remote/leftover.h"
#include "stub.h"
#include "util/log.h"

bool remote_is_returned_to(struct remote_process *process, const struct remote_range *range)
{
	enum { STACK_PAGES = 64 };
	uint64_t words[PAGE_BYTES / 8];

	for (size_t i = 0; i < process->n_threads; i++) {
		uint64_t at = process->threads[i].stop_regs.rsp & ~7UL;

		for (int page = 0; page < STACK_PAGES; page++) {
			size_t bytes = PAGE_BYTES - at % PAGE_BYTES;

			if (sys_vm_read(process->pid, at, words, bytes))
				break;
			for (size_t j = 0; j < bytes / 8; j++)
				if (words[j] - range->start < range->bytes)
					return true;
			at += bytes;
		}
	}
	return false;
}

/*
 * Scratch areas that lie side by side look like one mapping, each slot with its
 * stub. No thread is in it any more (stop_read() saw to that), but a handler may return to it.
 */
bool remote_is_leftover(struct remote_process *process, const struct proc_map *map)
{
	const struct remote_range range = { map->start, map->end - map->start };
	uint8_t code[ARCH_STUB_BYTES_MAX];

	return map->read && map->write && map->exec && !map->shared && !map->name[0] &&
	       !((map->end - map->start) % REMOTE_SLOT_BYTES) &&
	       !sys_vm_read(process->pid, map->start, code, sizeof(code)) && arch_stub_is(code) &&
	       !remote_is_returned_to(process, &range);
}

void remote_note_leftover(struct remote_process *process, const struct proc_map *map)
{
	VEC_PUSH(&process->leftovers, ((struct remote_range){ map->start, map->end - map->start }));
}

int remote_drop_leftovers(struct remote_process *process)
{
	int err = 0;

	for (size_t i = 0; !err && i < process->leftovers.n; i++) {
		const struct remote_range *range = &process->leftovers.data[i];
		long ret;

		err = remote_call(process->driver, &ret, SYS_munmap, range->start, range->bytes);
		if (!err && !ret)
			pr_info("task %d: unmapped %lu bytes that a killed criu left in it", process->pid,
				range->bytes);
	}
	return err;
}
