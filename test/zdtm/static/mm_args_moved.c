#include <fcntl.h>
#include <linux/prctl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "Argument and environment bounds moved to other memory with PR_SET_MM_MAP";

static int stat_field(int wanted, unsigned long *ret)
{
	char text[4096], *at;
	ssize_t len;
	int fd, field;

	fd = open("/proc/self/stat", O_RDONLY);
	if (fd < 0)
		return pr_perror("open stat");
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return pr_perror("read stat");
	text[len] = '\0';
	at = strrchr(text, ')');
	for (field = 2; at && field < wanted; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return pr_err("no field %d\n", wanted);
	*ret = strtoul(at, NULL, 10);
	return 0;
}

static int reads_as(const char *path, const char *want, size_t want_len)
{
	static char text[4096];
	ssize_t len;
	int fd;

	fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text));
	close(fd);
	return len == (ssize_t)want_len && !memcmp(text, want, want_len);
}

static const char args[] = "a\0moved\0command line";
static const char envs[] = "MOVED=1\0ENVIRONMENT=2";

int main(int argc, char **argv)
{
	struct prctl_mm_map map = { .exe_fd = (__u32)-1 };
	unsigned long fields[51 + 1] = { 0 };
	char *area;
	int i;

	test_init(argc, argv);

	area = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return pr_perror("mmap");
	memcpy(area + 100, args, sizeof(args));
	memcpy(area + PG + 7, envs, sizeof(envs));
	for (i = 26; i <= 51; i++)
		if (stat_field(i, &fields[i]))
			return 1;
	map.start_code = fields[26];
	map.end_code = fields[27];
	map.start_stack = fields[28];
	map.start_data = fields[45];
	map.end_data = fields[46];
	map.start_brk = fields[47];
	map.brk = (unsigned long)sbrk(0);
	map.arg_start = (unsigned long)(area + 100);
	map.arg_end = map.arg_start + sizeof(args);
	map.env_start = (unsigned long)(area + PG + 7);
	map.env_end = map.env_start + sizeof(envs);
	if (prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0))
		return pr_perror("PR_SET_MM_MAP");
	if (!reads_as("/proc/self/cmdline", args, sizeof(args)))
		return pr_err("the command line did not move\n");

	test_daemon();
	test_waitsig();

	if (!reads_as("/proc/self/cmdline", args, sizeof(args)))
		return fail("cmdline changed");
	if (!reads_as("/proc/self/environ", envs, sizeof(envs)))
		return fail("environ changed");
	if (stat_field(48, &fields[48]) || stat_field(49, &fields[49]) || stat_field(50, &fields[50]) ||
	    stat_field(51, &fields[51]))
		return fail("stat");
	if (fields[48] != map.arg_start || fields[49] != map.arg_end || fields[50] != map.env_start ||
	    fields[51] != map.env_end)
		return fail("bounds changed");
	if ((unsigned long)sbrk(0) != map.brk)
		return fail("break is %p, was %#llx", sbrk(0), map.brk);

	pass();
	return 0;
}
