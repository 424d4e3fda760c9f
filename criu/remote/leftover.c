#include <string.h>
#include <sys/syscall.h>

#include "kernel/syscalls.h"
#include "remote/call.h"
#include "remote/leftover.h"
#include "remote/place.h"
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

static bool is_untouched(struct remote_process *process, uint64_t slot)
{
	static const uint8_t zeros[PAGE_BYTES];
	uint8_t page[PAGE_BYTES];

	for (uint64_t at = slot; at < slot + REMOTE_SLOT_BYTES; at += PAGE_BYTES)
		if (sys_vm_read(process->pid, at, page, sizeof(page)) || memcmp(page, zeros, sizeof(page)))
			return false;
	return true;
}

/* Areas that lie side by side look like one mapping: each slot has its stub or was never used, and some have one. */
static bool has_our_slots(struct remote_process *process, const struct proc_map *map)
{
	uint8_t code[ARCH_STUB_BYTES_MAX];
	size_t n_stubs = 0;

	for (uint64_t slot = map->start; slot < map->end; slot += REMOTE_SLOT_BYTES) {
		if (!sys_vm_read(process->pid, slot, code, sizeof(code)) && arch_stub_is(code))
			n_stubs++;
		else if (!is_untouched(process, slot))
			return false;
	}
	return n_stubs > 0;
}

/* Mapped, and criu was killed before it could write to it. */
static bool has_nothing(struct remote_process *process, const struct proc_map *map)
{
	for (uint64_t slot = map->start; slot < map->end; slot += REMOTE_SLOT_BYTES)
		if (!is_untouched(process, slot))
			return false;
	return true;
}

/* No thread is in it any more (stop_read() saw to that), but a handler may return to it. */
bool remote_is_leftover(struct remote_process *process, const struct proc_map *map)
{
	const struct remote_range range = { map->start, map->end - map->start };

	return map->read && map->write && map->exec && !map->shared && !map->name[0] &&
	       !((map->end - map->start) % REMOTE_SLOT_BYTES) &&
	       (has_our_slots(process, map) || (remote_is_claimed(process, &range) && has_nothing(process, map))) &&
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
