/*
 * Every probe does the thing, or the first step of it, on criu itself or on a
 * child made for it. Version numbers prove nothing: distributions backport,
 * kernels are built without things, containers forbid them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/membarrier.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "kernel/features-ptrace.h"
#include "kernel/features.h"
#include "kernel/pagemap-scan.h"
#include "kernel/path.h"
#include "kernel/proc.h"
#include "kernel/syscalls.h"

#define CAP_SYS_RESOURCE_BIT 24
#define PAGEMAP_SOFT_DIRTY   (1ULL << 55)

/* Missing in the headers of some build machines. */
#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif
#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS	77
#define PR_TIMER_CREATE_RESTORE_IDS_GET 2
#endif
#define MEMBARRIER_GET_REGISTRATIONS (1 << 9)

/*
 * The set of tids is read before anything is created, so a bad address for it
 * tells whether it is known without making a process.
 */
static bool probe_clone3_set_tid(void)
{
	struct clone_args args = { .set_tid = 1, .set_tid_size = 1 };

	return sys_clone3(&args, sizeof(args)) == -EFAULT;
}

static bool probe_openat2(void)
{
	auto_fd int fd = path_open("/", O_PATH | O_DIRECTORY);

	return fd >= 0;
}

static bool probe_kcmp(void)
{
	return sys_kcmp(getpid(), getpid(), KCMP_VM, 0, 0) == 0;
}

static bool probe_kcmp_epoll(void)
{
	auto_fd int epoll = epoll_create1(EPOLL_CLOEXEC);
	auto_fd int watched = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };
	struct kcmp_epoll_slot slot = { .efd = epoll, .tfd = watched };

	if (epoll < 0 || watched < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, watched, &event))
		return false;
	return sys_kcmp(getpid(), getpid(), KCMP_EPOLL_TFD, watched, (uintptr_t)&slot) == 0;
}

static bool probe_pidfd(void)
{
	auto_fd int pidfd = sys_pidfd_open(getpid(), 0);
	auto_fd int copy = -1;

	if (pidfd < 0)
		return false;
	copy = sys_pidfd_getfd(pidfd, pidfd);
	return copy >= 0 && !sys_pidfd_send_signal(pidfd, 0);
}

static bool can_open(const char *name, int flags)
{
	auto_fd int fd = proc_open(getpid(), name, flags);

	return fd >= 0;
}

/* The links can be read with less than it takes to open them. */
static bool probe_map_files(void)
{
	void *area = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned long start = (unsigned long)area;
	char name[64];
	bool good;

	if (area == MAP_FAILED)
		return false;
	snprintf(name, sizeof(name), "map_files/%lx-%lx", start, start + PAGE_BYTES);
	good = can_open(name, O_RDWR);
	munmap(area, PAGE_BYTES);
	return good;
}

static bool probe_tid_address(void)
{
	void *address;

	return !prctl(PR_GET_TID_ADDRESS, &address, 0, 0, 0);
}

static bool probe_set_mm_map(void)
{
	unsigned int bytes;

	return !prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &bytes, 0, 0);
}

static bool probe_timer_cr_ids(void)
{
	return prctl(PR_TIMER_CREATE_RESTORE_IDS, PR_TIMER_CREATE_RESTORE_IDS_GET, 0, 0, 0) >= 0;
}

static bool probe_timerfd_ticks(void)
{
	auto_fd int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	uint64_t ticks = 1;

	return fd >= 0 && !ioctl(fd, TFD_IOC_SET_TICKS, &ticks);
}

/* A page of our own, written to: what does pagemap know about it? */
static void probe_pagemap(struct kernel_features *ret)
{
	auto_fd int fd = proc_open(getpid(), "pagemap", O_RDONLY);
	char *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	off_t at = (off_t)((uintptr_t)page >> PAGE_SHIFT) * 8;
	uint64_t entry;

	if (page == MAP_FAILED)
		return;
	*page = 1;
	if (fd >= 0 && pread(fd, &entry, sizeof(entry), at) == sizeof(entry)) {
		ret->pagemap = true;
		ret->mem_dirty_track = entry & PAGEMAP_SOFT_DIRTY;
		ret->pagemap_scan = pagemap_scan_knows(fd, page, PAGE_IS_PRESENT);
		ret->pagemap_scan_guard = pagemap_scan_knows(fd, page, PAGE_IS_PRESENT | PAGE_IS_GUARD);
	}
	munmap(page, PAGE_BYTES);
}

static void probe_uffd(struct kernel_features *ret)
{
	const uint64_t events = UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE |
				UFFD_FEATURE_EVENT_UNMAP;
	auto_fd int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API };

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		return;
	ret->uffd = true;
	ret->uffd_noncoop = (api.features & events) == events;
}

static bool probe_membarrier_get(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_GET_REGISTRATIONS, 0, 0) >= 0;
}

/* As every thread that has not chosen its slice: have none chosen for a moment. */
static uint64_t probe_sched_slice(void)
{
	struct kernel_sched_attr own, usual;

	if (sys_sched_getattr(0, &own) || !own.runtime || own.policy > SCHED_BATCH)
		return 0;
	usual = own;
	usual.runtime = 0;
	if (sys_sched_setattr(0, &usual) || sys_sched_getattr(0, &usual))
		return 0;
	if (usual.runtime != own.runtime && sys_sched_setattr(0, &own))
		return 0;
	return usual.runtime;
}

static bool probe_memfd(unsigned int flags)
{
	auto_fd int fd = memfd_create("criu-probe", flags | MFD_CLOEXEC);

	return fd >= 0;
}

static bool probe_tmpfile(void)
{
	static const char *const dirs[] = { "/dev/shm", "/tmp", "." };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		auto_fd int fd = open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

		if (fd >= 0)
			return true;
	}
	return false;
}

static void probe_fdinfo(struct kernel_features *ret)
{
	auto_fd int fd = memfd_create("criu-probe", MFD_CLOEXEC);
	struct proc_fdinfo info;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) || proc_read_fdinfo(getpid(), fd, &info))
		return;
	ret->mnt_id = info.mnt_id >= 0;
	ret->fdinfo_lock = info.locks.n == 1;
	proc_fdinfo_free(&info);
}

static void probe_status(struct kernel_features *ret)
{
	struct proc_status status;

	if (proc_read_status(getpid(), 0, &status))
		return;
	ret->cap_resource = status.cap_eff >> CAP_SYS_RESOURCE_BIT & 1;
	ret->ns_pid = status.n_ns_pids > 0;
	proc_status_free(&status);
}

static bool probe_children(void)
{
	char name[64];

	snprintf(name, sizeof(name), "task/%d/children", getpid());
	return can_open(name, O_RDONLY);
}

void features_probe(struct kernel_features *ret)
{
	*ret = (struct kernel_features){
		.clone3_set_tid = probe_clone3_set_tid(),
		.openat2 = probe_openat2(),
		.kcmp = probe_kcmp(),
		.kcmp_epoll = probe_kcmp_epoll(),
		.pidfd = probe_pidfd(),
		.map_files = probe_map_files(),
		.tid_address = probe_tid_address(),
		.set_mm_map = probe_set_mm_map(),
		.timers_proc = can_open("timers", O_RDONLY),
		.timer_cr_ids = probe_timer_cr_ids(),
		.timerfd_ticks = probe_timerfd_ticks(),
		.membarrier_get = probe_membarrier_get(),
		.sched_slice_ns = probe_sched_slice(),
		.memfd = probe_memfd(0),
		.memfd_hugetlb = probe_memfd(MFD_HUGETLB),
		.tmpfile = probe_tmpfile(),
		.children = probe_children(),
	};
	probe_pagemap(ret);
	probe_uffd(ret);
	probe_fdinfo(ret);
	probe_status(ret);
	features_probe_ptrace(ret);
}

bool feature_present(const struct kernel_features *features, const struct feature_info *info)
{
	return *(const bool *)((const char *)features + info->offset);
}

/* clang-format off */
#define ROW(name, field, mandatory, needed_for) \
	{ name, offsetof(struct kernel_features, field), mandatory, needed_for }

/* Names without a counterpart in mainline stand at the end of each half. */
const struct feature_info feature_table[] = {
	ROW("clone3_set_tid", clone3_set_tid, true, "restored tasks could not have their old pids"),
	ROW("mnt_id", mnt_id, true, "it could not be told which mount an open file is on"),
	ROW("ns_pid", ns_pid, true, "the pid namespace of a task could not be told"),
	ROW("openat2", openat2, true, "files could not be told from symbolic links to others"),
	ROW("kcmp", kcmp, true, "it could not be told what tasks share"),
	ROW("pidfd", pidfd, true, "descriptors of tasks could not be examined"),
	ROW("map_files", map_files, true, "mapped files and shared memory could not be read"),
	ROW("ptrace_seize", ptrace_seize, true, "tasks could not be stopped"),
	ROW("children", children, true, "the tasks of a tree could not be found"),
	ROW("pagemap", pagemap, true, "it could not be told which pages are in use"),
	ROW("tid_address", tid_address, true, "the exit of restored threads would go unnoticed by joiners"),
	ROW("set_mm_map", set_mm_map, true, "the layout of an address space could not be restored"),
	ROW("memfd", memfd, true, "memory files could not be made"),

	ROW("seccomp_suspend", suspend_seccomp, false, "tasks confined by seccomp cannot be dumped"),
	ROW("seccomp_filters", seccomp_get_filter, false, "seccomp filters cannot be dumped"),
	ROW("get_rseq_conf", get_rseq_conf, false, "tasks with restartable sequences cannot be dumped safely"),
	ROW("timer_cr_ids", timer_cr_ids, false, "POSIX timers get their ids by trying, which is slow for high ids"),
	ROW("timerfd", timerfd_ticks, false, "expirations of a timerfd that were not yet read are lost"),
	ROW("kcmp_epoll", kcmp_epoll, false, "epoll on descriptors that were closed or replaced cannot be dumped"),
	ROW("fdinfo_lock", fdinfo_lock, false, "file locks cannot be dumped"),
	ROW("memfd_hugetlb", memfd_hugetlb, false, "memory files of huge pages cannot be restored"),
	ROW("pagemap_scan", pagemap_scan, false, "pages in use are found by the slower pagemap"),
	ROW("pagemap_scan_guard_pages", pagemap_scan_guard, false, "guard pages set by madvise are not seen"),
	ROW("mem_dirty_track", mem_dirty_track, false, "memory that changed is not told by soft-dirty bits"),
	ROW("uffd", uffd, false, "memory that changed is not told by userfaultfd"),
	ROW("uffd-noncoop", uffd_noncoop, false, "userfaultfd does not follow fork and mremap"),
	ROW("timers_proc", timers_proc, false, "POSIX timers cannot be dumped"),
	ROW("membarrier_get", membarrier_get, false, "registrations for membarrier are lost"),
	ROW("tmpfile", tmpfile, false, "deleted files need a name for a moment when they are restored"),
	ROW("cap_resource", cap_resource, false, "hard limits above those of criu cannot be restored"),
};
/* clang-format on */

const size_t feature_table_len = ARRAY_SIZE(feature_table);
