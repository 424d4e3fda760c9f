#include <elf.h>
#include <errno.h>
#include <string.h>

#include "kernel/syscalls.h"
#include "remote/leftover.h"
#include "remote/place.h"
#include "stub.h"
#include "util/log.h"

static int find_vdso(struct remote_process *process, uint64_t *ret)
{
	auto_free char *auxv = NULL;
	proc_maps maps = { 0 };
	size_t bytes;
	int err;

	err = proc_read_file(process->pid, "auxv", &auxv, &bytes);
	if (err)
		return err;
	*ret = 0;
	for (const Elf64_auxv_t *aux = (void *)auxv; (char *)(aux + 1) <= auxv + bytes; aux++)
		if (aux->a_type == AT_SYSINFO_EHDR)
			*ret = aux->a_un.a_val;
	if (*ret)
		return 0;
	err = proc_read_maps(process->pid, false, &maps);
	for (size_t i = 0; !err && i < maps.n; i++)
		if (!strcmp(maps.data[i].name, "[vdso]"))
			*ret = maps.data[i].start;
	proc_maps_free(&maps);
	return err;
}

/* What the vdso's file uses of its mapping: up to its section headers, which come last. */
static int vdso_end(struct remote_process *process, uint64_t vdso, uint64_t *ret)
{
	Elf64_Ehdr elf;
	int err = sys_vm_read(process->pid, vdso, &elf, sizeof(elf));

	if (err || memcmp(elf.e_ident, ELFMAG, SELFMAG) || elf.e_shnum > 64 || elf.e_shoff > 16 * PAGE_BYTES)
		return fail(ENOTSUP, "task %d: has no vdso: it can't be driven safely", process->pid);
	*ret = vdso + elf.e_shoff + elf.e_shnum * sizeof(Elf64_Shdr);
	return 0;
}

/* The places for stubs: [*ret_first, *ret_limit), ARCH_STUB_BYTES_MAX each. */
static int find_places(struct remote_process *process, uint64_t *ret_first, uint64_t *ret_limit)
{
	uint64_t vdso = 0, end = 0;
	int err;

	err = find_vdso(process, &vdso);
	if (!err)
		err = vdso_end(process, vdso, &end);
	*ret_first = (end + 63) & ~63UL;
	*ret_limit = round_up_pages(end);
	return err;
}

bool remote_is_claimed(struct remote_process *process, const struct remote_range *range)
{
	uint8_t found[ARCH_STUB_BYTES_MAX];
	uint64_t at, limit;

	if (find_places(process, &at, &limit))
		return false;
	for (; at + ARCH_STUB_BYTES_MAX <= limit; at += ARCH_STUB_BYTES_MAX)
		if (!sys_vm_read(process->pid, at, found, sizeof(found)) && arch_stub_is(found) &&
		    arch_stub_claims(found, range->start, range->bytes))
			return true;
	return false;
}

/*
 * A stub that a dead tracer left may still have a thread on its way out, deep
 * in a signal handler:
 *
 *  1. criu is killed; thread T heals; its mask is set, a signal is delivered
 *  2. the handler runs, and will return to the stub
 *  3. another criu writes its stub there
 *  4. the handler returns: T gets the registers of step 3
 *
 * So prefer a place that is clean, else the oldest of those that are on no stack.
 */
int remote_place_stub(struct remote_process *process)
{
	static const uint8_t clean[ARCH_STUB_BYTES_MAX];
	uint8_t found[ARCH_STUB_BYTES_MAX];
	uint64_t at, limit, oldest = UINT64_MAX;
	int err = find_places(process, &at, &limit);

	if (err)
		return err;
	process->stub.v = 0;
	for (; at + ARCH_STUB_BYTES_MAX <= limit; at += ARCH_STUB_BYTES_MAX) {
		struct remote_range place = { at, ARCH_STUB_BYTES_MAX };

		err = remote_read(process, (struct remote_addr){ at }, found, sizeof(found));
		if (err)
			return err;
		if (!memcmp(found, clean, sizeof(clean))) {
			process->stub.v = at;
			return 0;
		}
		if (arch_stub_is(found) && arch_stub_born(found) < oldest && !remote_is_returned_to(process, &place)) {
			oldest = arch_stub_born(found);
			process->stub.v = at;
		}
	}
	if (!process->stub.v)
		return fail(ENOTSUP, "task %d: its vdso has no room left: it can't be driven safely", process->pid);
	return 0;
}

/* The vdso is not writable: /proc/PID/mem gives the target a copy of the page, as a debugger's breakpoint does. */
int remote_write_stub(struct remote_process *process, const void *bytes, size_t n)
{
	int fd = remote_mem_fd(process);

	if (fd < 0)
		return fd;
	if (pwrite(fd, bytes, n, process->stub.v) != (ssize_t)n)
		return fail_errno("task %d: cannot write to its vdso", process->pid);
	return 0;
}
