/*
 * What this kernel can do, found by trying, never by version number. Probed
 * once at start and passed on.
 */
#ifndef CRIU_KERNEL_FEATURES_H
#define CRIU_KERNEL_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel_features {
	bool clone3_set_tid;
	bool openat2;
	bool kcmp;
	bool pidfd;	/* pidfd_open, pidfd_getfd, pidfd_send_signal */
	bool map_files; /* /proc/PID/map_files opens */
	bool ptrace_seize;
	bool suspend_seccomp;
	bool seccomp_get_filter;
	bool get_rseq_conf;
	bool tid_address;     /* PR_GET_TID_ADDRESS */
	bool set_mm_map;      /* PR_SET_MM_MAP */
	bool timers_proc;     /* /proc/PID/timers */
	bool timer_cr_ids;    /* PR_TIMER_CREATE_RESTORE_IDS, 6.16 */
	bool pagemap;	      /* /proc/PID/pagemap */
	bool pagemap_scan;    /* PAGEMAP_SCAN, 6.7 */
	bool mem_dirty_track; /* soft-dirty */
	bool uffd;
	bool membarrier_get; /* MEMBARRIER_CMD_GET_REGISTRATIONS, 6.3 */
	bool memfd;
	bool memfd_hugetlb;
	bool tmpfile;		 /* O_TMPFILE + linkat */
	bool cap_resource;	 /* CAP_SYS_RESOURCE held */
	bool mnt_id;		 /* mnt_id in fdinfo */
	bool fdinfo_lock;	 /* locks in fdinfo */
	bool children;		 /* /proc/PID/task/TID/children */
	bool kcmp_epoll;	 /* KCMP_EPOLL_TFD */
	bool timerfd_ticks;	 /* TFD_IOC_SET_TICKS */
	bool ns_pid;		 /* pids per namespace in /proc/PID/status */
	bool uffd_noncoop;	 /* fork, remap and remove events */
	bool pagemap_scan_guard; /* PAGE_IS_GUARD, 6.15 */
	uint64_t sched_slice_ns; /* of a thread that has chosen none; 0: none can be chosen, as before 6.12 */
};

/** features_probe - fill @ret; never fails: what can't be tried is missing. */
void features_probe(struct kernel_features *ret);

/* How a feature is named on the command line and what its lack costs. */
struct feature_info {
	const char *name; /* mainline's name where it has one */
	size_t offset;	  /* of the bool in struct kernel_features */
	bool mandatory;
	const char *needed_for; /* one clause: what does not work without it */
};

/** feature_present - the value of one row of the table. */
bool feature_present(const struct kernel_features *features, const struct feature_info *info);

extern const struct feature_info feature_table[];
extern const size_t feature_table_len;

/* What is tried only when it is asked for. */
struct feature_on_demand {
	const char *name;
	bool (*probe)(void);
	const char *needed_for;
};

extern const struct feature_on_demand features_on_demand[];
extern const size_t features_on_demand_len;

#endif
