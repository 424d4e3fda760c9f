#include <elf.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "kids.h"

const char *test_doc = "vdso functions called through addresses taken before: in the root, in a child, in a new child";

typedef int (*clock_fn)(clockid_t, struct timespec *);
typedef int (*getcpu_fn)(unsigned int *, unsigned int *, void *);

static clock_fn vdso_clock_gettime;
static getcpu_fn vdso_getcpu;
static long long mono_before;
static struct map_line vdso_before;

/* Address of a function in the vdso that the kernel mapped, NULL when it has none. */
static void *vdso_symbol(const char *name)
{
	char *base = (char *)getauxval(AT_SYSINFO_EHDR);
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)base;
	Elf64_Shdr *sections;
	int i;

	if (!base)
		return NULL;
	sections = (Elf64_Shdr *)(base + ehdr->e_shoff);
	for (i = 0; i < ehdr->e_shnum; i++) {
		Elf64_Sym *syms = (Elf64_Sym *)(base + sections[i].sh_offset);
		char *names = base + sections[sections[i].sh_link].sh_offset;
		size_t k;

		if (sections[i].sh_type != SHT_DYNSYM)
			continue;
		for (k = 0; k < sections[i].sh_size / sizeof(*syms); k++)
			if (!strcmp(names + syms[k].st_name, name) && syms[k].st_value)
				return base + syms[k].st_value;
	}
	return NULL;
}

static long long as_ns(const struct timespec *ts)
{
	return ts->tv_sec * 1000000000LL + ts->tv_nsec;
}

/* The vdso's time has to lie between two of the kernel's. */
static int check_clock(clockid_t id)
{
	struct timespec low, mid, high;

	if (syscall(SYS_clock_gettime, id, &low) || vdso_clock_gettime(id, &mid) ||
	    syscall(SYS_clock_gettime, id, &high))
		return pr_perror("clock %d", id);
	if (as_ns(&mid) < as_ns(&low) || as_ns(&mid) > as_ns(&high))
		return pr_err("clock %d: vdso says %lld, the kernel %lld to %lld\n", id, as_ns(&mid), as_ns(&low),
			      as_ns(&high));
	if (id == CLOCK_MONOTONIC && as_ns(&mid) < mono_before)
		return pr_err("monotonic time went back from %lld to %lld\n", mono_before, as_ns(&mid));
	return 0;
}

static int check_cpu(void)
{
	unsigned int cpu, node, kernel_cpu;
	cpu_set_t all, one;
	int i, ret = 1;

	if (sched_getaffinity(0, sizeof(all), &all))
		return pr_perror("affinity");
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		if (sched_setaffinity(0, sizeof(one), &one))
			return pr_perror("affinity");
		if (vdso_getcpu(&cpu, &node, NULL) || syscall(SYS_getcpu, &kernel_cpu, NULL, NULL) ||
		    cpu != (unsigned int)i || kernel_cpu != cpu) {
			pr_err("pinned to cpu %d, the vdso says %u\n", i, cpu);
			goto out;
		}
	}
	ret = 0;
out:
	sched_setaffinity(0, sizeof(all), &all);
	return ret;
}

static int check(void *arg)
{
	static struct map_line now;

	(void)arg;
	if (check_clock(CLOCK_MONOTONIC) || check_clock(CLOCK_REALTIME) || check_clock(CLOCK_BOOTTIME) || check_cpu())
		return 1;
	if (map_find_named("[vdso]", &now) || now.start != vdso_before.start || now.end != vdso_before.end ||
	    strcmp(now.perms, vdso_before.perms))
		return pr_err("the vdso is not at %lx-%lx any more\n", vdso_before.start, vdso_before.end);
	return 0;
}

int main(int argc, char **argv)
{
	struct timespec ts;
	pid_t kid, new;

	test_init(argc, argv);

	vdso_clock_gettime = (clock_fn)vdso_symbol("__vdso_clock_gettime");
	vdso_getcpu = (getcpu_fn)vdso_symbol("__vdso_getcpu");
	if (!vdso_clock_gettime || !vdso_getcpu || map_find_named("[vdso]", &vdso_before))
		return pr_err("no vdso\n");
	kid = kid_start(NULL, check, NULL);
	if (kid < 0 || check(NULL))
		return 1;
	if (vdso_clock_gettime(CLOCK_MONOTONIC, &ts))
		return pr_perror("clock_gettime");
	mono_before = as_ns(&ts);

	test_daemon();
	test_waitsig();

	if (check(NULL))
		return fail("vdso");
	if (kid_finish(kid))
		return fail("vdso of the child");
	new = test_fork();
	if (!new)
		_exit(check(NULL));
	if (new < 0 || kid_wait(new))
		return fail("vdso of a new child");

	pass();
	return 0;
}
