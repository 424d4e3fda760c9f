#include <fcntl.h>
#include <stdlib.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "/proc/self/cmdline and environ, with a command line rewritten in place as setproctitle does";

static char cmdline[65536], environment[1 << 20], auxv[4096];

static ssize_t slurp(const char *path, char *buf, size_t size)
{
	ssize_t len, used = 0;
	int fd;

	fd = open(path, O_RDONLY);
	if (fd < 0) {
		pr_perror("open %s", path);
		return -1;
	}
	while ((len = read(fd, buf + used, size - used)) > 0)
		used += len;
	close(fd);
	if (len < 0)
		pr_perror("read %s", path);
	return len < 0 ? -1 : used;
}

/* 0 when the file still reads as it did, 1 otherwise. */
static int changed(const char *path, const char *was, ssize_t was_len)
{
	static char now[1 << 20];
	ssize_t len = slurp(path, now, sizeof(now));

	return len != was_len || memcmp(now, was, len);
}

static ssize_t cmdline_len, environment_len, auxv_len;

static int check(char *title)
{
	if (changed("/proc/self/cmdline", cmdline, cmdline_len))
		return fail("cmdline changed");
	if (changed("/proc/self/environ", environment, environment_len))
		return fail("environ changed");
	if (changed("/proc/self/auxv", auxv, auxv_len))
		return fail("auxv changed");
	/* It is a window onto memory, not a copy made at restore. */
	title[0] = 'Z';
	if (slurp("/proc/self/cmdline", cmdline, sizeof(cmdline)) != cmdline_len || memcmp(cmdline, "Zdtm: title", 11))
		return fail("cmdline does not follow memory");
	return 0;
}

int main(int argc, char **argv)
{
	char *row, *saved;
	size_t row_len;
	int bad;

	test_init(argc, argv);

	/* The strings lie in one row, so overwriting the row is what a title change does. */
	row = argv[0];
	row_len = argv[argc - 1] + strlen(argv[argc - 1]) - row;
	saved = malloc(row_len);
	if (!saved)
		return pr_perror("malloc");
	memcpy(saved, row, row_len);
	memset(row, 'x', row_len);
	memcpy(row, "zdtm: title", 11);

	cmdline_len = slurp("/proc/self/cmdline", cmdline, sizeof(cmdline));
	environment_len = slurp("/proc/self/environ", environment, sizeof(environment));
	auxv_len = slurp("/proc/self/auxv", auxv, sizeof(auxv));
	if (cmdline_len < 12 || memcmp(cmdline, "zdtm: titlex", 12) || environment_len <= 0 || auxv_len <= 0)
		return pr_err("cannot see the own command line, environment or auxv\n");

	test_daemon();
	test_waitsig();

	bad = check(row);
	/* The names of the output files are among these strings. */
	memcpy(row, saved, row_len);
	if (bad)
		return 1;

	pass();
	return 0;
}
