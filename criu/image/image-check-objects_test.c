/* Times and extended attributes of objects, at the ends of their ranges. */
#include <errno.h>
#include <sys/stat.h>

#include "image/image-check-files.h"
#include "util/test.h"

#define MEMFD 4

static int check(const struct model *model)
{
	struct image_objects objects = { 0 };
	int err = image_objects_collect(model, &objects);

	image_objects_free(&objects);
	return err;
}

static void test_memfd(struct model *model)
{
	ShmemFileXattr xattr = SHMEM_FILE_XATTR__INIT, *xattrs[] = { &xattr };
	MemfdInodeEntry *memfd = model_new(model, MemfdInodeEntry, memfd_inode_entry__init);

	memfd->inode_id = MEMFD;
	memfd->mtim = model_new(model, ShmemFileTime, shmem_file_time__init);
	memfd->xattrs = xattrs;
	memfd->n_xattrs = 1;
	xattr.name = (char *)"user.tag";
	xattr.value.len = 65536;
	VEC_PUSH(&model->memfds, memfd);
	memfd->mtim->nsec = 999999999;
	CHECK_EQ(check(model), 0);
	memfd->mtim->nsec = 1000000000;
	CHECK_EQ(check(model), -EINVAL);
	memfd->mtim->nsec = 0;
	xattr.value.len++;
	CHECK_EQ(check(model), -EINVAL);
	xattr.value.len = 0;
	xattr.name = (char *)"";
	CHECK_EQ(check(model), -EINVAL);
	model->memfds.n = 0;
}

static void test_ghost(struct model *model)
{
	ShmemFileXattr xattr = SHMEM_FILE_XATTR__INIT, *xattrs[] = { &xattr };
	GhostFileEntry *entry = model_new(model, GhostFileEntry, ghost_file_entry__init);
	char name[257];

	entry->mode = S_IFREG | 0600;
	entry->atim = model_new(model, Timeval, timeval__init);
	VEC_ADD(&model->ghosts)->entry = entry;
	entry->atim->tv_usec = 999999;
	entry->atim_nsec = 999;
	CHECK_EQ(check(model), 0);
	entry->atim_nsec++;
	CHECK_EQ(check(model), -EINVAL);
	entry->atim_nsec = 0;
	entry->atim->tv_usec++;
	CHECK_EQ(check(model), -EINVAL);
	entry->atim->tv_usec = 0;

	memset(name, 'a', 256);
	name[256] = '\0';
	xattr.name = name;
	entry->xattrs = xattrs;
	entry->n_xattrs = 1;
	CHECK_EQ(check(model), -EINVAL);
	name[255] = '\0';
	CHECK_EQ(check(model), 0);
}

int main(void)
{
	struct model model;

	model_init(&model);
	test_memfd(&model);
	test_ghost(&model);
	model_free(&model);
	return test_end();
}
