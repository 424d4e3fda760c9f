#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/proc.h"
#include "kernel/test-parse.h"
#include "util/test.h"

static const char smaps_text[] =
	"00400000-00452000 r-xp 00000000 08:02 173521                             /usr/bin/a name\n"
	"Size:                328 kB\n"
	"KernelPageSize:        4 kB\n"
	"AnonHugePages:      2048 kB\n"
	"Brand_new:    x y z\n"
	"THPeligible:    0\n"
	"VmFlags: rd ex mr mw me dw sd zz \n"
	"7f0000000000-7f0000001000 rw-s 00003000 00:1a 18446744073709551615       /dev/shm/x\\012y\\040z (deleted)\n"
	"VmFlags: rd wr sh mr mw me ms ?? lo lf dd \n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 \n";

/* Names given with prctl(PR_SET_VMA_ANON_NAME) look like anything: most printable characters are allowed. */
static void test_given_names(void)
{
	static const char text[] =
		"10000-11000 rw-p 00000000 00:00 0                          [anon:jemalloc pg]\n"
		"VmFlags: rd wr mr mw me ac \n"
		"11000-12000 rw-p 00000000 00:00 0                          [anon:/[aio] (deleted)]\n"
		"12000-13000 rw-s 00000000 00:01 77                         [anon_shmem:[vdso]]\n"
		"13000-14000 --xp 00000000 00:00 0                          [anon:]\n"
		"ProtectionKey:         1\n"
		"VmFlags: ex mr mw me sl \n";
	proc_maps maps = { 0 };

	if (!CHECK_EQ(proc_parse_maps(text, &maps), 0) || !CHECK_EQ(maps.n, 4))
		return;
	CHECK_STR(maps.data[0].name, "[anon:jemalloc pg]");
	CHECK_EQ(maps.data[0].ino, 0);
	CHECK_EQ(maps.data[0].protection_key, 0);
	CHECK_STR(maps.data[1].name, "[anon:/[aio] (deleted)]");
	CHECK_STR(maps.data[2].name, "[anon_shmem:[vdso]]");
	CHECK_EQ(maps.data[2].ino, 77);
	CHECK_STR(maps.data[3].name, "[anon:]");
	CHECK_EQ(maps.data[3].protection_key, 1);
	CHECK(maps.data[3].vm_flags & PROC_VM_SEALED);
	proc_maps_free(&maps);
}

static void test_maps(void)
{
	proc_maps maps = { 0 };

	if (!CHECK_EQ(proc_parse_maps(smaps_text, &maps), 0) || !CHECK_EQ(maps.n, 3))
		return;
	CHECK_EQ(maps.data[0].start, 0x400000);
	CHECK_EQ(maps.data[0].end, 0x452000);
	CHECK(maps.data[0].read && !maps.data[0].write && maps.data[0].exec && !maps.data[0].shared);
	CHECK_EQ(maps.data[0].dev_major, 8);
	CHECK_EQ(maps.data[0].dev_minor, 2);
	CHECK_EQ(maps.data[0].ino, 173521);
	CHECK_STR(maps.data[0].name, "/usr/bin/a name");
	CHECK_EQ(maps.data[0].anon_huge_kb, 2048);
	CHECK_EQ(maps.data[0].vm_flags, PROC_VM_MAYREAD | PROC_VM_MAYWRITE | PROC_VM_MAYEXEC);
	CHECK(maps.data[1].shared && maps.data[1].write);
	CHECK_EQ(maps.data[1].offset, 0x3000);
	CHECK_EQ(maps.data[1].dev_minor, 0x1a);
	CHECK(maps.data[1].ino == UINT64_MAX);
	/* Only the newline is escaped by the kernel; "\040" is part of the name. */
	CHECK_STR(maps.data[1].name, "/dev/shm/x\ny\\040z (deleted)");
	/* "??" is how the kernel prints a flag it has no name for: the rest still counts. */
	CHECK_EQ(maps.data[1].vm_flags, PROC_VM_MAYREAD | PROC_VM_MAYWRITE | PROC_VM_MAYEXEC | PROC_VM_MAYSHARE |
						PROC_VM_LOCKED | PROC_VM_LOCKONFAULT | PROC_VM_DONTDUMP);
	CHECK(maps.data[2].end == 0xffffffffff601000ULL);
	CHECK_STR(maps.data[2].name, "");
	CHECK_EQ(maps.data[2].vm_flags, 0);
	proc_maps_free(&maps);
}

/* As Linux 6.1 shows mlock2(MLOCK_ONFAULT). */
static void test_maps_nameless_lock(void)
{
	static const char text[] = "1000-2000 r--p 00000000 00:00 0 \nVmFlags: rd lo ?? sd \n"
				   "2000-3000 r--p 00000000 00:00 0 \nVmFlags: rd ?? ac \n"
				   "3000-4000 r--p 00000000 00:00 0 \nVmFlags: rd lo ac \n";
	proc_maps maps = { 0 };

	if (!CHECK_EQ(proc_parse_maps(text, &maps), 0) || !CHECK_EQ(maps.n, 3))
		return;
	CHECK_EQ(maps.data[0].vm_flags, PROC_VM_LOCKED | PROC_VM_LOCKONFAULT);
	CHECK_EQ(maps.data[1].vm_flags, PROC_VM_ACCOUNT);
	CHECK_EQ(maps.data[2].vm_flags, PROC_VM_LOCKED | PROC_VM_ACCOUNT);
	proc_maps_free(&maps);
}

static void test_maps_malformed(void)
{
	static const char *const bad[] = {
		"1000-1000 r--p 00000000 00:00 0 \n",
		"2000-1000 r--p 00000000 00:00 0 \n",
		"1000-2000 r--p 00000000 00:00\n",
		"1000-2000 r--q 00000000 00:00 0 \n",
		"1000-2000 r--p 00000000 00:00 0x /a\n",
		"1000-2000 r--p 00000000 00:00 18446744073709551616 \n",
		"10000000000000000-20000000000000000 r--p 00000000 00:00 0 \n",
		"1000-2000 r--p 00000000 100000000:00 0 \n",
		"2000-3000 r--p 00000000 00:00 0 \n1000-2000 r--p 00000000 00:00 0 \n",
	};
	proc_maps maps = { 0 };
	size_t n_lines = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(proc_parse_maps(bad[i], &maps), -EINVAL);
	CHECK(!maps.data);
	/* A text cut at a line's end is a shorter list; cut elsewhere it is an error. */
	for (const char *p = smaps_text; (p = strchr(p, '\n')); p++)
		n_lines++;
	CHECK_EQ(PREFIXES_ACCEPTED(smaps_text, proc_maps, proc_parse_maps, proc_maps_free), n_lines);
	POKE(smaps_text, proc_maps, proc_parse_maps, proc_maps_free);
	CHECK_EQ(proc_parse_maps("VmFlags: rd\nAnonHugePages: 1 kB\n", &maps), 0);
	CHECK_EQ(maps.n, 0);
	proc_maps_free(&maps);
}

/* A name with everything in it that could lead a parser astray, deleted while mapped. */
static void test_own_maps(void)
{
	static const char name[] = "/tmp/criu proc\ntest (deleted)";
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	proc_maps maps = { 0 };
	void *area;
	int seen = 0;

	CHECK(fd >= 0 && !unlink(name) && !ftruncate(fd, PAGE_BYTES));
	area = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(!madvise(area, PAGE_BYTES, MADV_DONTDUMP));
	CHECK_EQ(proc_read_maps(getpid(), true, &maps), 0);
	for (size_t i = 0; i < maps.n; i++) {
		if (maps.data[i].start != (uintptr_t)area)
			continue;
		seen++;
		CHECK_STR(maps.data[i].name, "/tmp/criu proc\ntest (deleted) (deleted)");
		CHECK(maps.data[i].shared && maps.data[i].write && !maps.data[i].exec);
		CHECK(maps.data[i].vm_flags & PROC_VM_DONTDUMP);
	}
	CHECK_EQ(seen, 1);
	proc_maps_free(&maps);
	munmap(area, PAGE_BYTES);
	close(fd);
}

int main(void)
{
	test_parse_quietly();
	test_maps();
	test_given_names();
	test_maps_nameless_lock();
	test_maps_malformed();
	test_own_maps();
	return test_end();
}
