#include <fcntl.h>
#include <stdlib.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "Code, data, stack, break, argument and environment bounds of /proc/self/stat, and the exe link";

/* Field numbers of proc(5): what the kernel remembers of the layout made by exec. */
static const int fields[] = { 26, 27, 28, 45, 46, 47, 48, 49, 50, 51 };
#define NR_FIELDS (sizeof(fields) / sizeof(fields[0]))

static int read_fields(unsigned long *ret)
{
	char text[4096], *at;
	unsigned int k = 0;
	int fd, field;
	ssize_t len;

	fd = open("/proc/self/stat", O_RDONLY);
	if (fd < 0)
		return pr_perror("open stat");
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return pr_perror("read stat");
	text[len] = '\0';
	/* The name may hold anything, so counting starts behind its parenthesis. */
	at = strrchr(text, ')');
	for (field = 2; at && k < NR_FIELDS; field++) {
		if (field == fields[k])
			ret[k++] = strtoul(at, NULL, 10);
		at = strchr(at + 1, ' ');
	}
	return k == NR_FIELDS ? 0 : pr_err("stat has too few fields\n");
}

static unsigned long before[NR_FIELDS];
static char exe_before[4096];

int main(int argc, char **argv)
{
	unsigned long after[NR_FIELDS];
	char exe_after[4096] = "";
	unsigned int k;

	test_init(argc, argv);

	if (read_fields(before))
		return 1;
	for (k = 0; k < NR_FIELDS; k++)
		if (!before[k])
			return pr_err("field %d cannot be seen\n", fields[k]);
	if (readlink("/proc/self/exe", exe_before, sizeof(exe_before) - 1) <= 0)
		return pr_perror("readlink exe");

	test_daemon();
	test_waitsig();

	if (read_fields(after))
		return fail("stat");
	for (k = 0; k < NR_FIELDS; k++)
		if (before[k] != after[k])
			return fail("field %d is %#lx, was %#lx", fields[k], after[k], before[k]);
	if (readlink("/proc/self/exe", exe_after, sizeof(exe_after) - 1) <= 0 || strcmp(exe_before, exe_after))
		return fail("exe is %s, was %s", exe_after, exe_before);

	pass();
	return 0;
}
