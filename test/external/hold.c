/*
 * hold - one more process that holds a shared object
 *
 *   hold map|fd|views N PATH
 *
 * PATH leads to the object, as /proc/PID/fd/N does. With "map" it is mapped N times for writing, with "views" N times
 * for reading, through a descriptor for reading; with "fd" descriptors 3 to N + 2 are kept, for reading. Prints "ready".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096UL

static void die(const char *what)
{
	perror(what);
	exit(2);
}

int main(int argc, char **argv)
{
	int write, n, fd;

	if (argc != 4) {
		fprintf(stderr, "usage: hold map|fd|views N PATH\n");
		return 2;
	}
	write = !strcmp(argv[1], "map");
	n = atoi(argv[2]);
	fd = open(argv[3], write ? O_RDWR : O_RDONLY);
	if (fd != 3)
		die(argv[3]);
	/* Each is of the same page, so that no two of them become one. */
	for (int i = 0; strcmp(argv[1], "fd") && i < n; i++)
		if (mmap(NULL, PAGE, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
			die("mmap");
	for (int i = 1; !strcmp(argv[1], "fd") && i < n; i++)
		if (dup(fd) < 0)
			die("dup");
	if (strcmp(argv[1], "fd"))
		close(fd);
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}
