/* A temporary images directory for unit tests. */
#ifndef CRIU_IMAGE_TEST_DIR_H
#define CRIU_IMAGE_TEST_DIR_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/image.h"
#include "util/test.h"

static char test_dir_path[] = "/tmp/criu-image-test-XXXXXX";

static inline struct image_dir test_dir_open(void)
{
	struct image_dir dir = { .fd = -1 };

	if (!CHECK(mkdtemp(test_dir_path)) || !CHECK(!image_dir_open(test_dir_path, &dir)))
		exit(test_end());
	return dir;
}

static inline void test_dir_remove(struct image_dir *dir)
{
	DIR *list = opendir(test_dir_path);
	struct dirent *entry;

	while (list && (entry = readdir(list)))
		unlinkat(dir->fd, entry->d_name, 0);
	if (list)
		closedir(list);
	image_dir_close(dir);
	rmdir(test_dir_path);
}

/* A whole file; *ret_bytes is -1 if it does not exist. The caller frees it. */
static inline uint8_t *test_dir_load(const struct image_dir *dir, const char *name, ssize_t *ret_bytes)
{
	auto_fd int fd = openat(dir->fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *data;

	*ret_bytes = -1;
	if (fd < 0 || fstat(fd, &st))
		return NULL;
	data = xalloc(st.st_size + 1);
	*ret_bytes = read(fd, data, st.st_size);
	return data;
}

static inline void test_dir_store(const struct image_dir *dir, const char *name, const void *data, size_t bytes)
{
	auto_fd int fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
}

static inline void test_dir_resize(const struct image_dir *dir, const char *name, off_t bytes)
{
	auto_fd int fd = openat(dir->fd, name, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && !ftruncate(fd, bytes));
}

#endif
