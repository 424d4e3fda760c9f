/*
 * open - the tree of opened.py: one process that has a deleted file open, and does not map it shared
 *
 *   open write          write the lines "1", "2", ... to descriptor 1, one each 5 ms
 *   open read LOG       the first line of descriptor 0 goes to the file LOG, each 5 ms
 *   open private LOG    likewise, of a private mapping of descriptor 0, in whose second page it writes
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void write_lines(void)
{
	char line[32];

	for (int i = 1;; i++) {
		int len = snprintf(line, sizeof(line), "%d\n", i);

		if (write(1, line, len) != len)
			die("write");
		usleep(5000);
	}
}

static void tell(const char *line, size_t len, const char *path)
{
	char new[4096];
	int fd;

	snprintf(new, sizeof(new), "%s.new", path);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, line, len) != (ssize_t)len || close(fd) || rename(new, path))
		die(path);
}

static void read_line(const char *map, const char *path)
{
	char line[64];

	for (;;) {
		ssize_t n = sizeof(line);
		const char *end;

		if (map)
			memcpy(line, map, n);
		else
			n = pread(0, line, n, 0);
		end = n > 0 ? memchr(line, '\n', n) : NULL;
		if (!end)
			die("no line");
		tell(line, end + 1 - line, path);
		usleep(5000);
	}
}

int main(int argc, char **argv)
{
	char *map = NULL;

	if (argc == 2 && !strcmp(argv[1], "write"))
		write_lines();
	if (argc != 3) {
		fprintf(stderr, "usage: open write | open read LOG | open private LOG\n");
		return 2;
	}
	if (!strcmp(argv[1], "private")) {
		map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, 0);
		if (map == MAP_FAILED)
			die("mmap");
		map[PAGE] = 'x';
	}
	read_line(map, argv[2]);
}
