/*
 * holes - two processes, and deleted files with holes that both map.
 *
 *   holes LOG BYTES STRIDE PATH...
 *
 * Each PATH becomes an object of BYTES bytes that had two names, PATH and PATH.two. The first process has it open
 * and mapped by the one, the second by the other. Every STRIDE bytes there is a tag; the last bytes of the object
 * are one, too. The two take turns: a turn checks all of it, adds one to a counter in each object and a line to LOG.
 * SIGTERM to the first process ends the job; the last line of LOG is then PASS.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_OBJECTS 8

struct object {
	char *map;
	int fd;
	uint64_t blocks;
};

static struct object objects[MAX_OBJECTS];
static unsigned int n_objects;
static uint64_t bytes, stride;
static int log_fd;
static volatile sig_atomic_t stop;

static void die(const char *what)
{
	perror(what);
	dprintf(log_fd, "FAIL %s\n", what);
	exit(1);
}

static _Atomic uint64_t *counter(unsigned int i)
{
	return (_Atomic uint64_t *)objects[i].map;
}

static uint64_t tag(unsigned int i, uint64_t offset)
{
	return offset * 0x9e3779b97f4a7c15ULL ^ (i + 1);
}

static void fill(unsigned int i)
{
	struct stat st;

	for (uint64_t at = stride; at + 8 <= bytes; at += stride)
		*(uint64_t *)(objects[i].map + at) = tag(i, at);
	memcpy(objects[i].map + bytes - 4, "tail", 4);
	*counter(i) = 0;
	if (fsync(objects[i].fd) || fstat(objects[i].fd, &st))
		die("fstat");
	objects[i].blocks = st.st_blocks;
}

static void check(unsigned int i)
{
	uint64_t seen;
	struct stat st;

	for (uint64_t at = stride; at + 8 <= bytes; at += stride)
		if (*(uint64_t *)(objects[i].map + at) != tag(i, at))
			die("tag");
	if (memcmp(objects[i].map + bytes - 4, "tail", 4))
		die("tail");
	if (fstat(objects[i].fd, &st) || (uint64_t)st.st_size != bytes || st.st_nlink)
		die("size or links");
	/* A file system may need some blocks for where the data is. */
	if ((uint64_t)st.st_blocks > objects[i].blocks * 2 + 64)
		die("holes are filled");
	if (pread(objects[i].fd, &seen, 8, 0) != 8 || seen != *counter(i))
		die("another object behind the descriptor");
	if (*counter(i) != *counter(0))
		die("counter");
}

static void take_turn(void)
{
	uint64_t step = *counter(0);

	for (unsigned int i = 0; i < n_objects; i++)
		check(i);
	dprintf(log_fd, "%llu\n", (unsigned long long)step);
	for (unsigned int i = n_objects; i > 0; i--)
		atomic_fetch_add(counter(i - 1), 1);
}

static void run(unsigned int me)
{
	while (!stop) {
		if (*counter(0) % 2 == me)
			take_turn();
		usleep(me ? 1000 : 700);
	}
}

static int map_as(unsigned int i, const char *path)
{
	objects[i].fd = open(path, O_RDWR | O_CLOEXEC);
	objects[i].map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, objects[i].fd, 0);
	return objects[i].map == MAP_FAILED ? -1 : 0;
}

/* Opened by both names before the fork; each process keeps what it got by one. */
static void make(unsigned int i, const char *path, struct object *ret_second)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	char two[4096];

	snprintf(two, sizeof(two), "%s.two", path);
	if (fd < 0 || ftruncate(fd, bytes) || link(path, two) || map_as(i, two))
		die(path);
	close(fd);
	*ret_second = objects[i];
	if (map_as(i, path) || unlink(path) || unlink(two))
		die(path);
	fill(i);
	ret_second->blocks = objects[i].blocks;
}

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

int main(int argc, char **argv)
{
	struct object second[MAX_OBJECTS];
	int status;
	pid_t pid;

	if (argc < 5 || argc - 4 > MAX_OBJECTS) {
		fprintf(stderr, "usage: holes LOG BYTES STRIDE PATH...\n");
		return 2;
	}
	log_fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	bytes = strtoull(argv[2], NULL, 0);
	stride = strtoull(argv[3], NULL, 0);
	n_objects = argc - 4;
	for (unsigned int i = 0; i < n_objects; i++)
		make(i, argv[4 + i], &second[i]);
	pid = fork();
	for (unsigned int i = 0; i < n_objects; i++) {
		struct object *unused = pid ? &second[i] : &objects[i];

		munmap(unused->map, bytes);
		close(unused->fd);
		if (!pid)
			objects[i] = second[i];
	}
	if (!pid) {
		run(1);
		return 0;
	}
	signal(SIGTERM, on_term);
	run(0);
	/* It takes its turns until it is told: this process has taken its last one. */
	kill(pid, SIGKILL);
	wait(&status);
	dprintf(log_fd, "PASS\n");
	return 0;
}
