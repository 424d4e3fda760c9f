#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "zdtmtst.h"

const char *test_doc = "Descriptors of kernel objects that can't be saved are refused, each by its name (see the hook)";
const char *test_author = "The criu team";

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#define KVM_CREATE_VM 0xAE01

static int bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int open_map(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };

	return bpf(BPF_MAP_CREATE, &attr);
}

static int open_program(void)
{
	const struct bpf_insn code[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = 2,
		.insns = (uintptr_t)code,
		.license = (uintptr_t) "GPL",
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

static int open_uring(void)
{
	struct io_uring_params params = { 0 };

	return (int)syscall(SYS_io_uring_setup, 4, &params);
}

static int open_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.exclude_kernel = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static int open_uffd(void)
{
	return (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */);
}

static int open_secret(void)
{
	return (int)syscall(SYS_memfd_secret, 0);
}

static int open_landlock(void)
{
	const uint64_t handled = 1;

	return (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
}

static int open_notifier(void)
{
	struct sock_filter code[] = { { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW } };
	struct sock_fprog program = { 1, code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static int open_kvm(void)
{
	return open("/dev/kvm", O_RDWR | O_CLOEXEC);
}

static int open_vm(void)
{
	int kvm = open_kvm(), vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);

	if (kvm >= 0)
		close(kvm);
	return vm;
}

static int open_fscontext(void)
{
	return (int)syscall(SYS_fsopen, "tmpfs", 0);
}

static int open_detached(void)
{
	return (int)syscall(SYS_open_tree, AT_FDCWD, "/dev", 1 /* OPEN_TREE_CLONE */);
}

static const struct {
	const char *name;
	int (*open)(void);
} kinds[] = {
	{ "bpf map", open_map },
	{ "bpf program", open_program },
	{ "io_uring", open_uring },
	{ "perf event", open_perf },
	{ "userfaultfd", open_uffd },
	{ "secret memory", open_secret },
	{ "landlock", open_landlock },
	{ "kvm", open_kvm },
	{ "virtual machine", open_vm },
	{ "fscontext", open_fscontext },
	{ "detached mount", open_detached },
	{ "notifier", open_notifier },
};

#define N_KINDS	 (sizeof(kinds) / sizeof(kinds[0]))
#define FIRST_FD 100

static void read_link(int fd, char link[256])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, 255);
	link[n < 0 ? 0 : n] = '\0';
}

int main(int argc, char **argv)
{
	char before[N_KINDS][256], now[256];

	test_init(argc, argv);
	for (size_t i = 0; i < N_KINDS; i++) {
		int fd = kinds[i].open();

		if (fd < 0 && errno != ENOSYS && errno != ENOENT && errno != EPERM && errno != EACCES &&
		    errno != EOPNOTSUPP && errno != ENODEV && errno != ENXIO)
			return pr_perror("%s", kinds[i].name);
		if (fd < 0)
			test_msg("there is no %s here: %m\n", kinds[i].name);
		if (fd >= 0 && (dup2(fd, FIRST_FD + (int)i) < 0 || close(fd)))
			return pr_perror("dup2");
		read_link(FIRST_FD + (int)i, before[i]);
	}

	test_daemon();
	test_waitsig();

	for (size_t i = 0; i < N_KINDS; i++) {
		read_link(FIRST_FD + (int)i, now);
		if (strcmp(now, before[i]))
			return fail("%s was %s and is %s", kinds[i].name, before[i], now);
	}
	pass();
	return 0;
}
