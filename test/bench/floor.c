/*
 * floor - what the machine can do at best with a number of bytes, in seconds.
 *
 *   floor write MIB FILE [ROUNDS]  write them to FILE by O_DIRECT, until they are on the disk
 *   floor copy MIB FILE [ROUNDS]	  copy them out of FILE (in the page cache) to fresh memory,
 *				  then once more to the same memory
 *
 * write prints one figure per round; copy prints two: into fresh memory, and into memory
 * that is there already.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define REQUEST (4UL << 20)

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void *map(size_t bytes, int flags, int fd)
{
	void *mem = mmap(NULL, bytes, PROT_READ | (fd < 0 ? PROT_WRITE : 0), flags, fd, 0);

	if (mem == MAP_FAILED)
		die("mmap");
	return mem;
}

static void write_round(const char *path, size_t bytes, char *buf)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT, 0600);
	double begin = now();

	if (fd < 0)
		die(path);
	for (size_t done = 0; done < bytes; done += REQUEST) {
		*(uint64_t *)buf = done;
		if (write(fd, buf, REQUEST) != (ssize_t)REQUEST)
			die(path);
	}
	if (fsync(fd))
		die("fsync");
	printf("%.6f\n", now() - begin);
	close(fd);
}

static void copy_round(const void *from, size_t bytes)
{
	void *to = map(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	double begin, middle;

	madvise(to, bytes, MADV_NOHUGEPAGE);
	begin = now();
	memcpy(to, from, bytes);
	middle = now();
	memcpy(to, from, bytes);
	printf("%.6f %.6f\n", middle - begin, now() - middle);
	munmap(to, bytes);
}

int main(int argc, char **argv)
{
	size_t bytes = argc > 3 ? strtoul(argv[2], NULL, 0) << 20 : 0;
	int rounds = argc > 4 ? atoi(argv[4]) : 3;

	if (!bytes || bytes % REQUEST) {
		fprintf(stderr, "usage: floor write|copy MIB FILE [ROUNDS]; MIB a multiple of 4\n");
		return 2;
	}
	if (!strcmp(argv[1], "write")) {
		char *buf = map(REQUEST, MAP_PRIVATE | MAP_ANONYMOUS, -1);

		for (size_t i = 0; i < REQUEST / 8; i++)
			((uint64_t *)buf)[i] = i * 0x9e3779b97f4a7c15ULL;
		while (rounds--)
			write_round(argv[3], bytes, buf);
	} else {
		int fd = open(argv[3], O_RDONLY);
		void *from;

		if (fd < 0)
			die(argv[3]);
		from = map(bytes, MAP_SHARED, fd);
		madvise(from, bytes, MADV_POPULATE_READ);
		while (rounds--)
			copy_round(from, bytes);
	}
	return 0;
}
