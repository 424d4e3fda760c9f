/*
 * What the kernel keeps of a mapping shows in /proc/PID/smaps, except what
 * backs it: that is opened through map_files, because names and numbers in
 * the text can be stale, reused or another file system's. Not visible from
 * outside: memory policy (numa.c). Lost: the name a private mapping was given with
 * prctl(PR_SET_VMA_ANON_NAME), and advice that leaves no flag (MADV_COLD, MADV_COLLAPSE).
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "kernel/hugepages.h"
#include "kernel/path.h"
#include "kernel/proc.h"
#include "mem/aio.h"
#include "mem/overlay.h"
#include "mem/page-scan.h"
#include "mem/vma.h"
#include "remote/leftover.h"
#include "util/log.h"

#define DEV_ZERO makedev(1, 5)

/* What vma_collect() carries along. */
struct collect {
	struct remote_process *process;
	struct inodes *inodes;
	struct arena *arena;
	struct refusals *refusals;
	vma_list *ret;
};

/* --- pure parts ----------------------------------------------------------------- */

uint64_t vma_advice(uint64_t vm_flags)
{
	static const struct {
		uint64_t vm_flag;
		int advice;
	} table[] = {
		{ PROC_VM_RAND_READ, MADV_RANDOM },  { PROC_VM_SEQ_READ, MADV_SEQUENTIAL },
		{ PROC_VM_DONTCOPY, MADV_DONTFORK }, { PROC_VM_MERGEABLE, MADV_MERGEABLE },
		{ PROC_VM_HUGEPAGE, MADV_HUGEPAGE }, { PROC_VM_NOHUGEPAGE, MADV_NOHUGEPAGE },
		{ PROC_VM_DONTDUMP, MADV_DONTDUMP }, { PROC_VM_WIPEONFORK, MADV_WIPEONFORK },
	};
	uint64_t mask = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (vm_flags & table[i].vm_flag)
			mask |= 1ULL << table[i].advice;
	return mask;
}

/* The mappings the kernel gives every process, by the name it shows for them; 0 for all others. */
static uint32_t special_status(const char *name)
{
	static const struct {
		const char *name;
		uint32_t status;
	} table[] = {
		{ "[vdso]", VMA_AREA_REGULAR | VMA_AREA_VDSO | VMA_ANON_PRIVATE },
		{ "[vvar]", VMA_AREA_REGULAR | VMA_AREA_VVAR | VMA_ANON_PRIVATE },
		{ "[vvar_vclock]", VMA_AREA_REGULAR | VMA_AREA_VVAR | VMA_ANON_PRIVATE },
		{ "[vsyscall]", VMA_AREA_VSYSCALL | VMA_ANON_PRIVATE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (!strcmp(name, table[i].name))
			return table[i].status;
	return 0;
}

const char *vma_obstacle(const struct proc_map *map)
{
	static const struct {
		uint64_t vm_flags;
		const char *what;
	} flags[] = {
		{ PROC_VM_UFFD_MISSING | PROC_VM_UFFD_WP | PROC_VM_UFFD_MINOR,
		  "is registered with a userfaultfd; unregister or unmap it before the dump" },
		{ PROC_VM_SHADOW_STACK,
		  "is a shadow stack, which cannot be saved; start the program without it (GLIBC_TUNABLES)" },
		{ PROC_VM_PFNMAP | PROC_VM_IO | PROC_VM_MIXEDMAP, "is memory of a device; unmap it before the dump" },
	};
	static const struct {
		const char *prefix;
		const char *what;
	} names[] = {
		{ "[uprobes]", "has uprobes on it; remove the probes first" },
		{ "/secretmem", "is secret memory, which nobody may read; unmap it before the dump" },
		{ "anon_inode:", "belongs to a kernel object that cannot be saved; unmap it before the dump" },
		{ "socket:", "is the ring of a packet socket; unmap it before the dump" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(map->name, names[i].prefix, strlen(names[i].prefix)))
			return names[i].what;
	if (special_status(map->name))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (map->vm_flags & flags[i].vm_flags)
			return flags[i].what;
	return NULL;
}

/* --- what backs a mapping ----------------------------------------------------------- */

static uint32_t plain_flags(const struct proc_map *map)
{
	uint32_t flags = map->shared ? MAP_SHARED : MAP_PRIVATE;

	if (map->vm_flags & PROC_VM_DROPPABLE)
		flags = MAP_DROPPABLE;
	if (map->vm_flags & PROC_VM_GROWSDOWN)
		flags |= MAP_GROWSDOWN;
	if (map->vm_flags & PROC_VM_LOCKED)
		flags |= MAP_LOCKED;
	if (map->vm_flags & PROC_VM_NORESERVE)
		flags |= MAP_NORESERVE;
	if (map->vm_flags & PROC_VM_SYNC)
		flags |= MAP_SYNC;
	return flags;
}

static int open_backing(const struct collect *collect, const struct proc_map *map)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "map_files/%llx-%llx", (unsigned long long)map->start,
		 (unsigned long long)map->end);
	/* O_PATH: opening a device for real could do anything. */
	fd = proc_open(collect->process->pid, name, O_PATH | O_CLOEXEC);
	return fd < 0 ? fail(-fd, "%s: cannot open what is mapped", map->name) : fd;
}

static void set_anonymous(struct vma *vma)
{
	vma->entry->status |= VMA_ANON_PRIVATE;
	vma->entry->flags |= MAP_ANONYMOUS;
	vma->entry->pgoff = 0;
}

/*
 * Private huge pages without a file: the only thing their inode tells is the page size. Pages in that inode belong to
 * shared memory that somebody has opened through map_files and mapped again.
 */
static int set_anon_huge(struct collect *collect, const struct proc_map *map, struct vma *vma, int fd,
			 const struct stat *st)
{
	if (st->st_blocks) {
		refuse(collect->refusals,
		       "%s is a private view of shared huge page memory that has no name: not supported; unmap it "
		       "before the "
		       "dump",
		       map->name);
		return 0;
	}
	set_anonymous(vma);
	vma->entry->pgoff = map->offset; /* mmap(2) takes it and /proc/PID/maps shows it */
	vma->entry->flags |= MAP_HUGETLB | huge_size_flag(huge_fd_bytes(fd));
	return 0;
}

static void note_holder(const struct collect *collect, const struct proc_map *map, struct vma *vma)
{
	struct inode *inode = vma->inode;
	struct inode_holder holder = {
		.pid = collect->process->pid,
		.start = map->start,
		.end = map->end,
		.offset = map->offset,
		.fd = -1,
		.access = { map->read ? 'r' : '-', map->write ? 'w' : '-', map->exec ? 'x' : '-',
			    map->shared ? 's' : 'p' },
		.write = map->write || vma->may_write,
	};

	inode_add_holder(inode, &holder);
	/* How much of that there is will be seen when it is read. */
	if (inode->is_lower)
		inode->st.st_size = (off_t)max_u64(inode->st.st_size, map->offset + (map->end - map->start));
	if (!map->shared)
		return;
	inode->mapped_shared = true;
	inode->mapped_end = max_u64(inode->mapped_end, map->offset + (map->end - map->start));
}

/* May find that the mapping is of another object than vma->inode: of the lower file of an overlayfs. */
static int check_file(const struct collect *collect, const struct proc_map *map, struct vma *vma)
{
	const struct vma *last = collect->ret->n ? &collect->ret->data[collect->ret->n - 1] : NULL;
	const struct overlay_mapping mapping = {
		.pid = collect->process->pid,
		.start = map->start,
		.end = map->end,
		.offset = map->offset,
		.may_write = map->shared && vma->may_write,
		.before = last && last->entry->end == map->start ? last->inode : NULL,
	};

	if (!S_ISREG(vma->inode->st.st_mode)) {
		refuse_object(collect->refusals, vma->inode->id,
			      "%s is a mapping of a device or another special file: what it shows is in the driver; "
			      "unmap it before the dump",
			      map->name);
		return 0;
	}
	return overlay_find_inode(collect->inodes, &mapping, &vma->inode, collect->refusals);
}

static int set_inode(struct collect *collect, const struct proc_map *map, struct vma *vma, int fd,
		     const struct stat *st)
{
	VmaEntry *entry = vma->entry;
	int err;

	/* A name given with prctl() hides the kernel's own, which says what kind of object it is. */
	vma->inode = inode_intern(collect->inodes, fd, st,
				  strncmp(map->name, "[anon_shmem:", 12) ? map->name : "/dev/zero" PATH_DELETED_SUFFIX);
	if (!vma->inode)
		return -EIO;
	err = vma->inode->kind == INODE_FILE ? check_file(collect, map, vma) : 0;
	if (err)
		return err;
	if (strlen(vma->inode->name) >= PATH_MAX)
		refuse_object(collect->refusals, vma->inode->id,
			      "its path has %zu bytes, and more than %d can't be opened again: %.200s...",
			      strlen(vma->inode->name), PATH_MAX - 1, vma->inode->name);
	note_holder(collect, map, vma);
	if (vma->inode->huge_bytes)
		entry->flags |= MAP_HUGETLB | huge_size_flag(vma->inode->huge_bytes);
	switch (vma->inode->kind) {
	case INODE_ANON_SHARED:
		entry->status |= VMA_ANON_SHARED;
		entry->flags |= MAP_ANONYMOUS;
		entry->shmid = vma->inode->id;
		break;
	case INODE_SYSV:
		entry->status |= VMA_ANON_SHARED | VMA_AREA_SYSVIPC;
		entry->shmid = vma->inode->id;
		entry->has_fdflags = true;
		entry->fdflags = vma->may_write ? O_RDWR : O_RDONLY;
		break;
	case INODE_MEMFD:
		entry->status |= VMA_AREA_MEMFD | (map->shared ? VMA_FILE_SHARED : VMA_FILE_PRIVATE);
		break;
	case INODE_FILE:
		entry->status |= map->shared ? VMA_FILE_SHARED : VMA_FILE_PRIVATE;
		break;
	case INODE_OTHER:
		refuse_object(collect->refusals, vma->inode->id,
			      "%s is a mapping of a kernel object that cannot be saved; unmap it before the dump",
			      map->name);
		break;
	}
	return 0;
}

static int set_backing(struct collect *collect, const struct proc_map *map, struct vma *vma)
{
	auto_fd int fd = -1;
	struct stat st;

	if (!map->ino && !map->dev_major && !map->dev_minor) {
		set_anonymous(vma);
		return 0;
	}
	fd = open_backing(collect, map);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return fail_errno("%s: fstat", map->name);
	if (map->shared && !strncmp(map->name, "/[aio]", 6) && aio_is_ring(fd)) {
		vma->entry->status |= VMA_ANON_SHARED | VMA_AREA_AIORING;
		vma->entry->flags |= MAP_ANONYMOUS;
		vma->entry->shmid = map->ino;
		return 0;
	}
	if (!map->shared && map->vm_flags & PROC_VM_HUGETLB && inode_is_anon_huge(fd, &st, vma->name))
		return set_anon_huge(collect, map, vma, fd, &st);
	/* A private mapping of /dev/zero is anonymous memory in all but name. */
	if (!map->shared && S_ISCHR(st.st_mode) && st.st_rdev == DEV_ZERO) {
		set_anonymous(vma);
		return 0;
	}
	return set_inode(collect, map, vma, fd, &st);
}

/* --- one mapping ------------------------------------------------------------------- */

static void set_name(const struct collect *collect, const struct proc_map *map, struct vma *vma)
{
	/* A file may really be called that: then its inode says so. */
	size_t len = path_bare_len(map->name, NULL);

	vma->name = arena_strdup(collect->arena, map->name);
	vma->name[len] = '\0';
	vma->name_deleted = map->name[len] != '\0';
}

static void correct_name(const struct collect *collect, const struct proc_map *map, struct vma *vma)
{
	if (!vma->inode || !vma->name_deleted || vma->inode->kind != INODE_FILE || vma->inode->deleted ||
	    strcmp(vma->inode->name, map->name))
		return;
	vma->name = arena_strdup(collect->arena, map->name);
	vma->name_deleted = false;
}

static VmaEntry *new_entry(const struct collect *collect, uint64_t start, uint64_t end)
{
	VmaEntry *entry = arena_new_of(collect->arena, VmaEntry);

	vma_entry__init(entry);
	entry->start = start;
	entry->end = end;
	entry->fd = -1;
	return entry;
}

static void set_entry(const struct proc_map *map, struct vma *vma)
{
	VmaEntry *entry = vma->entry;
	uint64_t advice = vma_advice(map->vm_flags);

	entry->pgoff = map->offset;
	entry->prot = (map->read ? PROT_READ : 0) | (map->write ? PROT_WRITE : 0) | (map->exec ? PROT_EXEC : 0);
	entry->flags = plain_flags(map);
	entry->status = special_status(map->name);
	if (entry->status) {
		entry->flags = MAP_PRIVATE | MAP_ANONYMOUS;
		entry->pgoff = 0;
		return;
	}
	entry->status = VMA_AREA_REGULAR;
	if (!strcmp(map->name, "[heap]"))
		entry->status |= VMA_AREA_HEAP;
	if (!strcmp(map->name, "[stack]"))
		entry->status |= VMA_AREA_STACK;
	if (map->vm_flags & PROC_VM_LOCKED && map->vm_flags & PROC_VM_LOCKONFAULT)
		entry->status |= VMA_LOCKED_ONFAULT;
	entry->has_pkey = map->protection_key != 0;
	entry->pkey = (uint32_t)map->protection_key;
	entry->has_sealed = entry->sealed = map->vm_flags & PROC_VM_SEALED;
	if (advice) {
		entry->has_madv = true;
		entry->madv = advice;
	}
}

static int collect_map(struct collect *collect, const struct proc_map *map)
{
	const char *obstacle = vma_obstacle(map);
	struct vma vma = { .vm_flags = map->vm_flags, .may_write = map->vm_flags & PROC_VM_MAYWRITE };
	int err;

	LOG_SCOPE_HEX("mapping", map->start);
	/* Which would have to be read. */
	if (!collect->process->watched && remote_is_leftover(collect->process, map)) {
		remote_note_leftover(collect->process, map);
		return 0;
	}
	if (obstacle) {
		refuse(collect->refusals, "%s %s", map->name[0] ? map->name : "anonymous memory", obstacle);
		return 0;
	}
	set_name(collect, map, &vma);
	vma.entry = new_entry(collect, map->start, map->end);
	set_entry(map, &vma);
	if (!special_status(map->name)) {
		err = set_backing(collect, map, &vma);
		/* Unmapped meanwhile by a task that runs. */
		if (err == -ENOENT && collect->process->watched)
			return 0;
		if (err)
			return err;
	}
	correct_name(collect, map, &vma);

	VEC_PUSH(collect->ret, vma);
	return 0;
}

/* --- one address space --------------------------------------------------------------- */

static int set_auxv(const struct collect *collect, MmEntry *mm)
{
	auto_free char *text = NULL;
	size_t bytes;
	int err = proc_read_file(collect->process->pid, "auxv", &text, &bytes);

	if (err)
		return err;
	mm->n_mm_saved_auxv = bytes / sizeof(uint64_t);
	mm->mm_saved_auxv = arena_memdup(collect->arena, text, mm->n_mm_saved_auxv * sizeof(uint64_t));
	return 0;
}

static void set_fields(const struct remote_process *process, MmEntry *mm)
{
	const struct proc_stat *stat = &process->stat;

	mm->mm_start_code = stat->start_code;
	mm->mm_end_code = stat->end_code;
	mm->mm_start_data = stat->start_data;
	mm->mm_end_data = stat->end_data;
	mm->mm_start_stack = stat->start_stack;
	mm->mm_start_brk = stat->start_brk;
	mm->mm_arg_start = stat->arg_start;
	mm->mm_arg_end = stat->arg_end;
	mm->mm_env_start = stat->env_start;
	mm->mm_env_end = stat->env_end;
	if (!process->status.thp_enabled) {
		mm->has_thp_disabled = true;
		mm->thp_disabled = true;
	}
}

typedef VEC(VmaEntry *) entry_list;

/* Guard regions (MADV_GUARD_INSTALL) are no mappings of their own: entries of their own name them. */
static int find_guards(const struct collect *collect, entry_list *entries)
{
	cleanup_with(page_scan_closep) struct page_scan *scan = NULL;
	uint64_t start, end;
	int err;

	/* Kernels without the ioctl have no guards. */
	err = page_scan_open(collect->process->pid, true, &scan);
	for (size_t i = 0; i < collect->ret->n && !err; i++) {
		const VmaEntry *vma = collect->ret->data[i].entry;

		if (!(vma->status & VMA_AREA_REGULAR) || vma->status & (VMA_AREA_VDSO | VMA_AREA_VVAR))
			continue;
		page_scan_begin(scan, PAGES_GUARD, vma->start, vma->end);
		while ((err = page_scan_next(scan, &start, &end)) > 0) {
			VmaEntry *guard = new_entry(collect, start, end);

			guard->flags = MAP_PRIVATE | MAP_ANONYMOUS;
			guard->status = VMA_AREA_GUARD;
			VEC_PUSH(entries, guard);
		}
	}
	return err;
}

static int set_vmas(const struct collect *collect, MmEntry *mm)
{
	entry_list entries = { 0 };
	int err;

	for (size_t i = 0; i < collect->ret->n; i++)
		VEC_PUSH(&entries, collect->ret->data[i].entry);
	err = find_guards(collect, &entries);
	mm->vmas = arena_memdup(collect->arena, entries.data, entries.n * sizeof(*entries.data));
	mm->n_vmas = entries.n;
	VEC_FREE(&entries);
	return err;
}

int vma_collect(struct remote_process *process, struct inodes *inodes, struct model *model, MmEntry *mm, vma_list *ret,
		struct refusals *refusals)
{
	struct collect collect = {
		.process = process,
		.inodes = inodes,
		.arena = model->arena,
		.refusals = refusals,
		.ret = ret,
	};
	cleanup_with(proc_maps_free) proc_maps maps = { 0 };
	int err;

	LOG_SCOPE("task", process->pid);
	set_fields(process, mm);
	err = set_auxv(&collect, mm);
	err = err ?: proc_read_maps(process->pid, true, &maps);
	for (size_t i = 0; i < maps.n && !err; i++)
		err = collect_map(&collect, &maps.data[i]);
	return err ?: set_vmas(&collect, mm);
}
