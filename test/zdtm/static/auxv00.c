#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "kids.h"

const char *test_doc = "The auxiliary vector: /proc/self/auxv, the libc's view, and what it points to";

static char before[4096];
static ssize_t before_len;
static unsigned char random_bytes[16];
static char exec_name[4096];

static ssize_t read_auxv(char *buf, size_t size)
{
	ssize_t len;
	int fd;

	fd = open("/proc/self/auxv", O_RDONLY);
	if (fd < 0)
		return -1;
	len = read(fd, buf, size);
	close(fd);
	return len;
}

static int check(void *arg)
{
	static struct map_line vdso;
	char after[4096];

	(void)arg;
	if (read_auxv(after, sizeof(after)) != before_len || memcmp(before, after, before_len))
		return fail("auxv changed");
	if (memcmp((void *)getauxval(AT_RANDOM), random_bytes, sizeof(random_bytes)))
		return fail("the random bytes changed");
	if (strcmp((char *)getauxval(AT_EXECFN), exec_name))
		return fail("the name of the program changed");
	if (map_find((void *)getauxval(AT_SYSINFO_EHDR), &vdso) || strcmp(vdso.path, "[vdso]") ||
	    vdso.start != getauxval(AT_SYSINFO_EHDR) || memcmp((void *)vdso.start, ELFMAG, SELFMAG))
		return fail("AT_SYSINFO_EHDR does not point to the vdso");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t kid;

	test_init(argc, argv);

	before_len = read_auxv(before, sizeof(before));
	if (before_len <= 0)
		return pr_perror("read auxv");
	memcpy(random_bytes, (void *)getauxval(AT_RANDOM), sizeof(random_bytes));
	snprintf(exec_name, sizeof(exec_name), "%s", (char *)getauxval(AT_EXECFN));
	if (!getauxval(AT_SYSINFO_EHDR))
		return pr_err("no vdso\n");
	kid = kid_start(NULL, check, NULL);
	if (kid < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (check(NULL) || kid_finish(kid))
		return 1;

	pass();
	return 0;
}
