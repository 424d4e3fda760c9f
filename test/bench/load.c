/*
 * load - programs of a given size in one dimension, to be checkpointed.
 *
 *   load procs N | threads N | maps N | fds N | private MIB | small
 *   load pool MIB DIR [HOLDERS [STRIDE]]    one deleted file in DIR, every STRIDEth 64 KiB of it written
 *   load objects N DIR HOLDERS MAPS	     N deleted files of 64 KiB, MAPS mappings of them in all
 *   load vast TIB DIR			     a deleted file with a page at each sixteenth of it
 *
 * When everything is in place, "ready" is written to stdout; then all sleep for ever.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE  4096UL
#define PIECE (64 * 1024UL)

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* No two pages alike and none of zeroes: nothing may be saved by looking closely. */
static void fill(void *mem, size_t bytes)
{
	uint64_t x = 0x9e3779b97f4a7c15ULL, *p = mem;

	for (size_t i = 0; i < bytes / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = x;
	}
}

static void *map(size_t bytes, int flags, int fd)
{
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (mem == MAP_FAILED)
		die("mmap");
	return mem;
}

static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static void make_children(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			sleep_for_ever();
	}
}

static void *thread_main(void *arg)
{
	sleep_for_ever();
	return arg;
}

static void make_threads(unsigned int n)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (unsigned int i = 0; i < n; i++) {
		pthread_t thread;

		if (pthread_create(&thread, &attr, thread_main, NULL))
			die("pthread_create");
	}
}

/* Neighbours differ in protection, or the kernel would merge them. */
static void make_maps(unsigned int n)
{
	char *mem = map(n * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	for (unsigned int i = 0; i < n; i++) {
		mem[i * PAGE] = 1;
		if (i % 2 && mprotect(mem + i * PAGE, PAGE, PROT_READ))
			die("mprotect");
	}
}

static void make_fds(unsigned int n)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (unsigned int i = 0; i < n; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			die("open");
}

static void make_private(size_t mib)
{
	void *mem = map(mib << 20, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	madvise(mem, mib << 20, MADV_NOHUGEPAGE);
	fill(mem, mib << 20);
}

static int make_deleted(const char *dir, off_t bytes)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/load-pool-%d", dir, getpid());
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || ftruncate(fd, bytes) || unlink(path))
		die(path);
	return fd;
}

static void make_pool(size_t mib, const char *dir, unsigned int holders, unsigned int stride)
{
	const size_t bytes = mib << 20;
	int fd = make_deleted(dir, bytes);
	char *mem = map(bytes, MAP_SHARED, fd);

	for (size_t at = 0; at < bytes; at += stride * PIECE)
		fill(mem + at, PIECE);
	make_children(holders - 1);
}

/* Each process maps its own share of them, so that each file has several holders. */
static void make_objects(unsigned int n, const char *dir, unsigned int holders, unsigned int maps)
{
	int *fds = calloc(n, sizeof(*fds));

	for (unsigned int i = 0; i < n; i++) {
		fds[i] = make_deleted(dir, PIECE);
		if (write(fds[i], fds, n * sizeof(*fds)) < 0)
			die("write");
	}
	for (unsigned int h = 0; h < holders; h++) {
		pid_t pid = h ? fork() : 0;

		if (pid < 0)
			die("fork");
		if (pid)
			continue;
		for (unsigned int i = 0; i < maps / holders; i++)
			map(PIECE, MAP_SHARED, fds[(h * 7 + i) % n]);
		if (h)
			sleep_for_ever();
	}
}

static void make_vast(size_t tib, const char *dir)
{
	const size_t bytes = tib << 40;
	char *mem = map(bytes, MAP_SHARED | MAP_NORESERVE, make_deleted(dir, bytes));

	for (size_t i = 0; i < 16; i++)
		fill(mem + i * (bytes / 16), PAGE);
}

static unsigned int argument(int argc, char **argv, int i, unsigned int otherwise)
{
	return argc > i ? strtoul(argv[i], NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	unsigned int n = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;

	if (!strcmp(kind, "procs"))
		make_children(n - 1);
	else if (!strcmp(kind, "threads"))
		make_threads(n - 1);
	else if (!strcmp(kind, "maps"))
		make_maps(n);
	else if (!strcmp(kind, "fds"))
		make_fds(n);
	else if (!strcmp(kind, "private"))
		make_private(n);
	else if (!strcmp(kind, "pool") && argc > 3)
		make_pool(n, argv[3], argument(argc, argv, 4, 4), argument(argc, argv, 5, 1));
	else if (!strcmp(kind, "objects") && argc > 5)
		make_objects(n, argv[3], argument(argc, argv, 4, 0), argument(argc, argv, 5, 0));
	else if (!strcmp(kind, "vast") && argc > 3)
		make_vast(n, argv[3]);
	else if (strcmp(kind, "small")) {
		fprintf(stderr, "usage: see the beginning of load.c\n");
		return 2;
	}
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 2;
	sleep_for_ever();
}
