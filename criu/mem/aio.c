/*
 * Contexts of asynchronous I/O: io_setup(2).
 *
 * The kernel keeps for each: a ring of completed requests, which is mapped into the process and whose address is
 * the context's id; where in the ring the next completion goes; how many requests may be under way; the requests
 * themselves. A context is its process's alone: a child inherits a view of the ring, but no context.
 *
 * From outside the ring can be read, with what was completed and not yet fetched. How many requests were asked for
 * does not show, but how large a ring that made. Requests under way do not show at all. They go on while the
 * process is stopped, so the dump waits: until all disks have had nothing to do at one moment, and until no
 * completion has arrived for a while. Should one arrive later, before the commit, the dump fails and the job goes on.
 *
 * Lost: requests that wait for an event without end (IOCB_CMD_POLL), and those on files of other machines that take
 * longer than the wait: the restored process never hears of them.
 *
 * Restore: the kernel has a count of its own of where the next completion goes, which nothing but completions moves. So the
 * puppet asks for as many reads of nothing as there have been completions in this round of the ring, and fetches
 * all but those that were not fetched; then the kernel counts as before. What the ring held is written over that.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#include "image/stats.h"
#include "kernel/proc-scan.h"
#include "mem/aio.h"
#include "mem/page-walk.h"
#include "util/interrupt.h"
#include "util/log.h"

#define FS_MAGIC_AIO 0xa10a10a1U
#define RING_MAGIC   0xa10a10a1U

/* The first bytes of a ring; then come the slots. */
struct ring_header {
	uint32_t id, nr, head, tail; /* id: the kernel's own */
	uint32_t magic, compat_features, incompat_features, header_bytes;
};

/* --- pure parts -------------------------------------------------------------- */

uint32_t aio_nr_slots(uint64_t bytes)
{
	return (uint32_t)((bytes - sizeof(struct ring_header)) / sizeof(struct io_event));
}

/* The kernel makes room for twice as many, two more, and what is left of the last page. */
uint32_t aio_nr_requests(uint64_t bytes)
{
	return bytes <= PAGE_BYTES ? 1 : (aio_nr_slots(bytes - PAGE_BYTES) - 1) / 2;
}

/* Is the name, which ends with a blank, one of the lines? */
static bool is_listed(const char *lines, const char *name, size_t len)
{
	for (const char *at = lines; (at = memmem(at, strlen(at), name, len)); at++)
		if (at[len] == '\n' && (at == lines || at[-1] == '\n'))
			return true;
	return false;
}

/* "   8       0 sda 1 2 3 4 5 6 7 8 UNDERWAY ...", Documentation/admin-guide/iostats.rst of the kernel */
static const char *scan_disk(const char *p, const char **ret_name, size_t *ret_len, uint64_t *ret_under_way)
{
	uint64_t number;

	p = scan_number(skip_blanks(p), 10, &number);
	p = p ? scan_number(skip_blanks(p), 10, &number) : NULL;
	if (!p)
		return NULL;
	*ret_name = skip_blanks(p);
	*ret_len = strcspn(*ret_name, " \n");
	p = *ret_name + *ret_len;
	for (int i = 0; p && i < 9; i++)
		p = scan_number(skip_blanks(p), 10, ret_under_way);
	return p;
}

size_t aio_busy_disks(const char *diskstats, char *idle, size_t idle_bytes)
{
	size_t n_busy = 0;

	for (const char *p = diskstats, *name; p && *p; p = next_line(p)) {
		size_t len, used = strlen(idle);
		uint64_t under_way;

		if (!scan_disk(p, &name, &len, &under_way) || is_listed(idle, name, len))
			continue;
		if (under_way)
			n_busy++;
		else if (used + len + 2 <= idle_bytes)
			snprintf(idle + used, idle_bytes - used, "%.*s\n", (int)len, name);
	}
	return n_busy;
}

/* --- dump -------------------------------------------------------------------- */

bool aio_is_ring(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (uint32_t)fs.f_type == FS_MAGIC_AIO;
}

/* In the process's hands: it may have written anything there. */
static bool is_sane(const struct ring_header *header, uint64_t bytes)
{
	return header->magic == RING_MAGIC && header->nr == aio_nr_slots(bytes) && header->tail < header->nr &&
	       !header->incompat_features && header->header_bytes == sizeof(*header);
}

static int plan_ring(struct remote_process *process, const VmaEntry *vma, struct arena *arena, aio_rings *rings,
		     struct refusals *refusals, AioRingEntry **ret)
{
	struct ring_header header;
	struct aio_ring ring = { .process = process, .start = vma->start, .bytes = vma->end - vma->start };
	int err;

	if (vma->prot != (PROT_READ | PROT_WRITE) || vma->pgoff) {
		refuse(refusals, "the ring of an AIO context (io_setup) was protected or unmapped in part: not "
				 "supported; end the context "
				 "(io_destroy) before the dump");
		return 0;
	}
	err = remote_read(process, (struct remote_addr){ vma->start }, &header, sizeof(header));
	if (err)
		return err;
	if (!is_sane(&header, ring.bytes)) {
		refuse(refusals, "the ring of an AIO context (io_setup) was unmapped in part or overwritten: not "
				 "supported; end the context "
				 "(io_destroy) before the dump");
		return 0;
	}
	VEC_PUSH(rings, ring);
	*ret = arena_new_of(arena, AioRingEntry);
	aio_ring_entry__init(*ret);
	(*ret)->id = ring.start;
	(*ret)->nr_req = aio_nr_requests(ring.bytes);
	(*ret)->ring_len = (uint32_t)ring.bytes;
	return 0;
}

/* Its number is that of the ring's inode, in a mapping of another process as well. */
static bool is_of_another(const vma_list *vmas, const VmaEntry *vma)
{
	for (size_t i = 0; i < vmas->n; i++)
		if (vmas->data[i].entry->status & VMA_AREA_AIORING && vmas->data[i].entry->shmid == vma->shmid)
			return true;
	return false;
}

int aio_plan(struct remote_process *process, const vma_list *vmas, const vma_list *parents_vmas, struct arena *arena,
	     MmEntry *mm, aio_rings *rings, struct refusals *refusals)
{
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < vmas->n; i++)
		n += !!(vmas->data[i].entry->status & VMA_AREA_AIORING);
	if (!n)
		return 0;
	mm->aios = arena_array(arena, AioRingEntry *, n);
	for (size_t i = 0; i < vmas->n && !err; i++) {
		const VmaEntry *vma = vmas->data[i].entry;

		LOG_SCOPE_HEX("mapping", vma->start);
		if (!(vma->status & VMA_AREA_AIORING))
			continue;
		if (parents_vmas && is_of_another(parents_vmas, vma)) {
			refuse(refusals,
			       "the ring of an AIO context (io_setup) of its parent, inherited: not supported; "
			       "unmap it after fork, or set up AIO after fork");
			continue;
		}
		err = plan_ring(process, vma, arena, rings, refusals, &mm->aios[mm->n_aios]);
		mm->n_aios += mm->aios[mm->n_aios] != NULL;
	}
	return err;
}

int aio_ask(const aio_rings *rings, struct remote_process *process)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	int err = 0;

	for (size_t i = 0; i < rings->n && !err; i++) {
		const struct aio_ring *ring = &rings->data[i];

		if (ring->process != process)
			continue;
		LOG_SCOPE_HEX("mapping", ring->start);
		err = batch ? 0 : batch_new(process->driver, &batch);
		if (err)
			return err;
		/* Fetches no events, and so changes nothing. */
		int op = batch_add(batch, SYS_io_getevents, ring->start, 0, 0, 0, 0);

		err = batch_run(batch);
		if (!err && batch_ret(batch, op) < 0)
			err = fail((int)-batch_ret(batch, op), "the ring of an AIO context (io_setup) of another "
							       "process, inherited: not supported");
	}
	return err;
}

/* --- requests under way ------------------------------------------------------- */

#define LOOK_NS	     (5 * 1000 * 1000)
#define QUIET_US     (50 * 1000)
#define WAIT_DISK_US (2 * 1000 * 1000)
#define WAIT_US	     (10 * 1000 * 1000)
#define IDLE_BYTES   16384

static int read_tail(const struct aio_ring *ring, uint32_t *ret)
{
	struct ring_header header;
	int err = remote_read(ring->process, (struct remote_addr){ ring->start }, &header, sizeof(header));

	if (!err)
		*ret = header.tail;
	return err;
}

static int read_tails(aio_rings *rings, bool *ret_changed)
{
	for (size_t i = 0; i < rings->n; i++) {
		uint32_t tail;
		int err = read_tail(&rings->data[i], &tail);

		if (err)
			return err;
		*ret_changed |= tail != rings->data[i].tail;
		rings->data[i].tail = tail;
	}
	return 0;
}

/* Since the tree was stopped. Without the file, as in some containers, there is only the quiet to go by. */
static size_t busy_disks(char *idle)
{
	auto_fd int fd = open("/proc/diskstats", O_RDONLY | O_CLOEXEC);
	char text[65536];
	size_t n = 0;
	ssize_t got;

	while (fd >= 0 && n < sizeof(text) - 1 && (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	return aio_busy_disks(text, idle, IDLE_BYTES);
}

int aio_wait(aio_rings *rings)
{
	uint64_t start = stats_now_us(), last_change = start, now = start;
	auto_free char *idle = xalloc(IDLE_BYTES);
	size_t n_busy = 0;

	if (!rings->n)
		return 0;
	do {
		const struct timespec pause = { .tv_nsec = LOOK_NS };
		bool changed = false;
		int err = read_tails(rings, &changed) ?: interrupt_pending();

		if (err)
			return err;
		n_busy = busy_disks(idle);
		now = stats_now_us();
		if (changed)
			last_change = now;
		if (now - start > WAIT_US)
			return fail(EBUSY, "AIO requests of the tree are still being completed after %d s: try again",
				    WAIT_US / 1000000);
		nanosleep(&pause, NULL);
	} while (now - last_change < QUIET_US || (n_busy && now - start < WAIT_DISK_US));
	if (n_busy)
		pr_warn("%zu disks were never idle for %d s: should an AIO request of the tree still be under way, it "
			"is lost",
			n_busy, WAIT_DISK_US / 1000000);
	return 0;
}

int aio_recheck(const aio_rings *rings)
{
	for (size_t i = 0; i < rings->n; i++) {
		const struct aio_ring *ring = &rings->data[i];
		uint32_t tail;

		LOG_SCOPE("task", ring->process->pid);
		LOG_SCOPE_HEX("mapping", ring->start);
		int err = read_tail(ring, &tail);

		if (err)
			return err;
		if (tail != ring->tail)
			return fail(EBUSY, "AIO requests were completed while the images were written: try again");
	}
	return 0;
}

/* --- restore ------------------------------------------------------------------- */

#define AT_A_TIME 32 /* below what the smallest ring has room for */

/* What the image has of the ring; *ret_header.magic is 0 if that is nothing. */
static int read_image(const struct pagemap *map, const AioRingEntry *aio, uint8_t *ring, struct ring_header *ret_header)
{
	struct page_cursor cursor = { .map = map };
	struct page_run run;

	for (uint64_t at = aio->id, end = aio->id + aio->ring_len; at < end; at = run.end) {
		if (!page_cursor_at(&cursor, at, end, &run))
			continue;
		if (pread(map->pages_fd, ring + (at - aio->id), run.end - at, (off_t)run.file_offset) !=
		    (ssize_t)(run.end - at))
			return fail_errno("cannot read the ring of an AIO context in the image");
	}
	memcpy(ret_header, ring, sizeof(*ret_header));
	if (ret_header->magic && !is_sane(ret_header, aio->ring_len))
		return fail(EINVAL, "the image has a malformed ring of an AIO context");
	return 0;
}

/* Have @n reads of nothing completed in the context at @ctx, and fetch them if @fetch. */
static int complete(struct batch *batch, uint64_t ctx, int fd, uint32_t n, bool fetch)
{
	while (n) {
		uint32_t some = (uint32_t)min_u64(n, AT_A_TIME);
		uint64_t list[AT_A_TIME];
		struct iocb iocb = { .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)fd };
		int err = batch_room(batch, 2, sizeof(iocb) + sizeof(list) + AT_A_TIME * sizeof(struct io_event) + 64);
		int submit, get = -1;

		if (err)
			return err;
		iocb.aio_buf = batch_data(batch, NULL, 16).v;
		list[0] = batch_data(batch, &iocb, sizeof(iocb)).v;
		for (uint32_t i = 1; i < some; i++)
			list[i] = list[0];
		submit = batch_must(batch, "submit AIO requests", SYS_io_submit, ctx, some,
				    batch_data(batch, list, sizeof(list)).v);
		if (fetch)
			get = batch_must(batch, "fetch AIO completions", SYS_io_getevents, ctx, 0, some,
					 batch_data(batch, NULL, AT_A_TIME * sizeof(struct io_event)).v, 0);
		err = batch_run(batch);
		if (err)
			return err;
		if (!batch_ret(batch, submit) || (fetch && batch_ret(batch, get) != batch_ret(batch, submit)))
			return fail(EIO, "an AIO context does not take requests");
		n -= (uint32_t)batch_ret(batch, submit);
	}
	return 0;
}

/* Wherever there is room; its place is kept free meanwhile. */
static int set_up(struct remote_process *process, const AioRingEntry *aio, struct batch *batch, uint64_t *ret_ctx,
		  struct ring_header *ret)
{
	int err = batch_room(batch, 2, 16), op;
	struct remote_addr ctx;

	if (err)
		return err;
	batch_must(batch, "keep room for an AIO context", SYS_mmap, aio->id, aio->ring_len, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	ctx = batch_data(batch, NULL, sizeof(*ret_ctx));
	op = batch_add(batch, SYS_io_setup, aio->nr_req, ctx.v);
	err = batch_run(batch);
	if (err)
		return err;
	if (batch_ret(batch, op) < 0)
		return fail((int)-batch_ret(batch, op), "cannot set up an AIO context for %u requests%s", aio->nr_req,
			    batch_ret(batch, op) == -EAGAIN ? " (fs.aio-max-nr)" : "");
	memcpy(ret_ctx, batch_local(batch, ctx), sizeof(*ret_ctx));
	err = remote_read(process, (struct remote_addr){ *ret_ctx }, ret, sizeof(*ret));
	if (!err && ret->nr != aio_nr_slots(aio->ring_len))
		err = fail(ENOTSUP,
			   "an AIO context has %u slots here and had %u: its size depends on the number of processors",
			   ret->nr, aio_nr_slots(aio->ring_len));
	return err;
}

static int restore_ring(struct remote_process *process, const AioRingEntry *aio, const struct pagemap *map, int null_fd,
			struct batch *batch)
{
	auto_free uint8_t *ring = xalloc(aio->ring_len);
	struct ring_header had, now;
	uint64_t ctx = 0;
	int err = read_image(map, aio, ring, &had);

	err = err ?: set_up(process, aio, batch, &ctx, &now);
	if (err)
		return err;
	had.head %= now.nr;
	err = complete(batch, ctx, null_fd, had.head, true);
	err = err ?: complete(batch, ctx, null_fd, (had.tail + now.nr - had.head) % now.nr, false);
	err = err ?: batch_room(batch, 1, 0);
	if (err)
		return err;
	batch_must(batch, "move an AIO context", SYS_mremap, ctx, aio->ring_len, aio->ring_len,
		   MREMAP_MAYMOVE | MREMAP_FIXED, aio->id);
	err = batch_run(batch);
	if (err || !had.magic)
		return err;
	memcpy(ring, &now.id, sizeof(now.id));
	return remote_write(process, (struct remote_addr){ aio->id }, ring, aio->ring_len);
}

static int restore_rings(struct remote_process *process, const struct mm_image *image, struct batch *batch)
{
	static const char null[] = "/dev/null";
	const MmEntry *mm = image->task->mm;
	int op, fd, err = batch_room(batch, 1, sizeof(null) + 16);

	if (err)
		return err;
	op = batch_must(batch, "open /dev/null", SYS_openat, AT_FDCWD, batch_data(batch, null, sizeof(null)).v,
			O_RDONLY | O_CLOEXEC);
	err = batch_run(batch);
	if (err)
		return err;
	fd = (int)batch_ret(batch, op);
	for (size_t i = 0; i < mm->n_aios && !err; i++) {
		LOG_SCOPE_HEX("mapping", mm->aios[i]->id);
		err = restore_ring(process, mm->aios[i], &image->pagemap, fd, batch);
	}
	err = err ?: batch_room(batch, 1, 0);
	if (!err)
		batch_must(batch, "close /dev/null", SYS_close, fd);
	return err ?: batch_run(batch);
}

/* Each processor has free slots put by for it, so a ring can be filled only on one. */
int aio_restore(struct remote_process *process, const struct mm_image *image, struct batch *batch)
{
	cpu_set_t had, one;
	int err, cpu = 0;

	if (!image->task->mm->n_aios)
		return 0;
	if (sched_getaffinity(process->pid, sizeof(had), &had))
		return fail_errno("Cannot read the CPU affinity");
	while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &had))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(process->pid, sizeof(one), &one))
		return fail_errno("Cannot set the CPU affinity");
	err = restore_rings(process, image, batch);
	if (sched_setaffinity(process->pid, sizeof(had), &had) && !err)
		err = fail_errno("Cannot set the CPU affinity");
	return err;
}
