/*
 * keeper - a process with files of a tmpfs that have their names: one mapped, one open, one of two names, one in
 * directories of its own, and one that has lost the name it was opened by, as semaphores do
 *
 *   keeper DIR
 *
 * It makes DIR/mapped, DIR/open and DIR/alias (a link to it, which it does not use), DIR/one and DIR/two (a link to it),
 * DIR/sub/deep/in, and DIR/sub/deep/sem, which was DIR/sem.tmp. It says "ready PID", and counts in the
 * mappings and in the open file; on SIGTERM it compares all and ends with 0.
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
	unsigned long *mapped, *in, *sem, count = 0, kept;
	int fd, file, two, deep, lost;
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
	if (mkdir("sub", 0700) || mkdir("sub/deep", 0700))
		die("sub/deep");
	deep = make("sub/deep/in");
	lost = make("sem.tmp");
	if (link("sem.tmp", "sub/deep/sem") || unlink("sem.tmp") || link("open", "alias"))
		die("sem.tmp");
	in = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, deep, 0);
	sem = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, lost, 0);
	if (in == MAP_FAILED || sem == MAP_FAILED)
		die("mmap");
	printf("ready %d\n", getpid());
	fflush(stdout);
	while (!stop) {
		*mapped = ++count;
		in[1000] = sem[1000] = count;
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
	if (in[1000] != count || sem[1000] != count)
		return 5;
	if (!same_file("sub/deep/in", deep) || !same_file("sub/deep/sem", lost) || !same_file("alias", file))
		return 6;
	printf("count %lu\n", count);
	return 0;
}
