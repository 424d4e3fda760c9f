#ifndef ZDTM_DELSHM_H
#define ZDTM_DELSHM_H

/*
 * Deleted files that are mapped MAP_SHARED. Every test of them exists twice:
 * on the tmpfs of /dev/shm, and, when DELSHM_ON_DISK is defined, on the
 * filesystem of the current directory. Include zdtmtst.h first.
 *
 * A directory is made for the test alone; in the end it has to be empty.
 */

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memprop.h"
#include "fileprop.h"

#ifdef DELSHM_ON_DISK
char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);
#endif

static char delshm_dir[PATH_MAX / 2];

/* A test that failed must not litter /dev/shm with empty directories. */
static void delshm_tidy(void)
{
	rmdir(delshm_dir);
}

/* Makes the directory of the test: 0, or 1 (logged). Call it after test_init(). */
static inline int delshm_init(void)
{
#ifdef DELSHM_ON_DISK
	snprintf(delshm_dir, sizeof(delshm_dir), "%s", dirname);
	if (mkdir(delshm_dir, 0755))
		return pr_perror("mkdir %s", delshm_dir);
#else
	snprintf(delshm_dir, sizeof(delshm_dir), "/dev/shm/zdtm-%s-XXXXXX", program_invocation_short_name);
	if (!mkdtemp(delshm_dir))
		return pr_perror("mkdtemp %s", delshm_dir);
#endif
	atexit(delshm_tidy);
	return 0;
}

/* Path of a name in the directory of the test; good until the call after the next three. */
static inline const char *delshm_path(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned int turn;
	char *path = paths[turn++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", delshm_dir, name);
	return path;
}

/* Creates a file of the given size, O_RDWR; descriptor or -1 (logged). */
static inline int delshm_create(const char *name, off_t size)
{
	int fd = file_create(delshm_path(name), O_RDWR, 0600);

	if (fd >= 0 && ftruncate(fd, size)) {
		pr_perror("truncate %s to %ld", name, size);
		close(fd);
		fd = -1;
	}
	return fd;
}

static inline int delshm_unlink(const char *name)
{
	return unlink(delshm_path(name)) ? pr_perror("unlink %s", name) : 0;
}

/* A shared mapping; NULL on error (logged). */
static inline char *delshm_map(int fd, size_t len, int prot, off_t at)
{
	void *map = mmap(NULL, len, prot, MAP_SHARED, fd, at);

	if (map == MAP_FAILED) {
		pr_perror("mmap of %zu bytes at %ld", len, at);
		return NULL;
	}
	return map;
}

/*
 * How most tests begin: their directory, and in it one file, which is mapped as a whole for reading and writing.
 * The mapping, or NULL (logged).
 */
static inline char *delshm_start(const char *name, size_t size, int *ret_fd)
{
	if (delshm_init())
		return NULL;
	*ret_fd = delshm_create(name, size);
	return *ret_fd < 0 ? NULL : delshm_map(*ret_fd, size, PROT_READ | PROT_WRITE, 0);
}

/* 0 when nothing is left in the directory of the test, which is removed. */
static inline int delshm_fini(void)
{
	if (dir_entries(delshm_dir, 1))
		return pr_err("files were left behind in %s\n", delshm_dir);
	if (rmdir(delshm_dir))
		return pr_perror("rmdir %s", delshm_dir);
	return 0;
}

#endif
