/*
 * keeper - a process with files of a tmpfs that have their names: one mapped, one open, one of two names
 *
 *   keeper DIR
 *
 * It makes DIR/mapped, DIR/open, DIR/one and DIR/two (a link to it), says "ready PID", and counts in the
 * mapping and in the open file; on SIGTERM it compares all and ends with 0.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES (1UL << 20)

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static int make(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);

	if (fd < 0 || ftruncate(fd, BYTES) || fchmod(fd, 0640))
		die(name);
	return fd;
}

static int same_file(const char *name, int fd)
{
	struct stat a, b;

	return !stat(name, &a) && !fstat(fd, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int main(int argc, char **argv)
{
	unsigned long *mapped, count = 0, kept;
	int fd, file, two;
	void *first, *second;

	if (argc != 2 || chdir(argv[1]))
		return 2;
	signal(SIGTERM, on_term);
	fd = make("mapped");
	mapped = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	file = make("open");
	two = make("one");
	if (mapped == MAP_FAILED || link("one", "two"))
		die("one");
	memset(mapped + 1000, 7, 1000);
	first = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, two, 0);
	close(two);
	two = open("two", O_RDWR);
	second = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, two, 0);
	if (first == MAP_FAILED || second == MAP_FAILED)
		die("mmap");
	close(fd);
	printf("ready %d\n", getpid());
	fflush(stdout);
	while (!stop) {
		*mapped = ++count;
		if (pwrite(file, &count, sizeof(count), 8192) != sizeof(count))
			die("pwrite");
		strcpy(first, count % 2 ? "odd" : "even");
		usleep(1000);
	}
	if (pread(file, &kept, sizeof(kept), 8192) != sizeof(kept) || kept != count || *mapped != count ||
	    ((char *)(mapped + 1000))[5] != 7 || strcmp(second, count % 2 ? "odd" : "even"))
		return 3;
	if (!same_file("open", file) || !same_file("one", two) || !same_file("two", two))
		return 4;
	printf("count %lu\n", count);
	return 0;
}
