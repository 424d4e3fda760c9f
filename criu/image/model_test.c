#include <errno.h>
#include <string.h>

#include "image/image-check.h"
#include "image/test-model.h"

static void write_model(struct image_dir *dir, const struct model *model)
{
	CHECK(!image_remove_inventory(dir));
	CHECK(!image_write(dir, model));
	CHECK(!image_sync(dir));
	CHECK_EQ(test_model_read(dir), -ENOENT);
	CHECK(!image_prepare_commit(dir, model));
	CHECK_EQ(test_model_read(dir), -ENOENT);
	CHECK(!image_commit(dir->fd));
}

static const char *const all_files[] = {
	"inventory.img", "pstree.img",	     "core-10.img",	 "core-11.img",	   "core-20.img",   "core-30.img",
	"ids-10.img",	 "ids-20.img",	     "mm-10.img",	 "fs-10.img",	   "fs-20.img",	    "fdinfo-10.img",
	"files.img",	 "remap-fpath.img",  "memfd.img",	 "pipes-data.img", "fifo-data.img", "tty-info.img",
	"seccomp.img",	 "shmem-file-6.img", "ghost-file-1.img", "sysv-shm.img",   "sysv-sem.img",  "sysv-msg.img",
	"mqueue.img",	 "mqueue-data.img",
};

/* Read, written again, the same bytes. */
static void test_round_trip(struct image_dir *dir, struct model *built)
{
	uint8_t *before[ARRAY_SIZE(all_files)];
	ssize_t n_before[ARRAY_SIZE(all_files)];
	struct model model;

	/* Left by an earlier dump: must not be taken for this one's. */
	test_dir_store(dir, "ids-30.img", "old", 3);
	test_dir_store(dir, "mm-20.img", "old", 3);
	test_model_write_ghost(dir);
	write_model(dir, built);
	model_init(&model);
	if (!CHECK_EQ(image_read(dir, &model), 0))
		return;
	CHECK_EQ(model.tasks.n, 3);
	CHECK_EQ(model.tasks.data[0].n_core, 2);
	CHECK(!model.tasks.data[1].mm && !model.tasks.data[2].fs);
	CHECK_EQ(model.fdtables.n, 1);
	CHECK_EQ(model.files.n, built->files.n);
	CHECK(model_task(&model, 20) == &model.tasks.data[1]);
	CHECK_STR(model_file(&model, 2)->reg->name, "/bin/job");
	CHECK_EQ(model.ghosts.n, 1);
	CHECK_EQ(model.shmem_files.data[0].entry->mtim->sec, -5);
	if (CHECK_EQ(model.external_objects.n, 1))
		CHECK_EQ(model.external_objects.data[0]->holders[0]->end, 0x2000);
	CHECK_EQ(model_sysv_shm(&model, 7)->shm->desc->id, 32770);
	CHECK(!model_sysv_shm(&model, 6));
	CHECK(!memcmp(model.pipe_data.data[0].bytes, "hello", 5));

	for (size_t i = 0; i < ARRAY_SIZE(all_files); i++)
		before[i] = test_dir_load(dir, all_files[i], &n_before[i]);
	write_model(dir, &model);
	for (size_t i = 0; i < ARRAY_SIZE(all_files); i++) {
		ssize_t bytes;
		uint8_t *after = test_dir_load(dir, all_files[i], &bytes);

		if (!CHECK(bytes > 0 && bytes == n_before[i] && !memcmp(before[i], after, bytes)))
			printf("\t%s\n", all_files[i]);
		free(before[i]);
		free(after);
	}
	model_free(&model);
}

static void test_missing(struct image_dir *dir)
{
	/* Without these a job is another job; the others may be absent in an image of mainline's. */
	static const char *const needed[] = { "inventory.img", "pstree.img", "core-10.img",
					      "core-11.img",   "ids-10.img", "mm-10.img",
					      "fs-10.img",     "files.img",  "ghost-file-1.img" };

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		CHECK(!renameat(dir->fd, needed[i], dir->fd, "aside"));
		if (!CHECK(test_model_read(dir) < 0))
			printf("\t%s\n", needed[i]);
		CHECK(!renameat(dir->fd, "aside", dir->fd, needed[i]));
	}
	CHECK_EQ(test_model_read(dir), 0);
}

/* Whatever happens to a byte, reading ends with a model that holds together, or an error. */
static void test_damaged(struct image_dir *dir)
{
	static const uint8_t flips[] = { 0x01, 0x88 };
	int refused = 0;

	for (size_t f = 0; f < ARRAY_SIZE(all_files); f++) {
		ssize_t bytes;
		auto_free uint8_t *data = test_dir_load(dir, all_files[f], &bytes);
		auto_fd int fd = openat(dir->fd, all_files[f], O_WRONLY | O_CLOEXEC);

		for (ssize_t i = 0; i < bytes; i++) {
			for (size_t j = 0; j < ARRAY_SIZE(flips); j++) {
				uint8_t bad = data[i] ^ flips[j];

				CHECK(pwrite(fd, &bad, 1, i) == 1);
				refused += test_model_read(dir) < 0;
			}
			CHECK(pwrite(fd, &data[i], 1, i) == 1);
		}
		for (ssize_t n = bytes - 1; n >= 0; n--) {
			CHECK(!ftruncate(fd, n));
			refused += test_model_read(dir) < 0;
		}
		CHECK(pwrite(fd, data, bytes, 0) == bytes);
	}
	CHECK(refused > 500);
	CHECK_EQ(test_model_read(dir), 0);
}

/* Images older than remap types: bit 31 of the id. */
static void test_old_remap(void)
{
	RemapFilePathEntry remap = REMAP_FILE_PATH_ENTRY__INIT;

	remap.remap_id = 0x80000005;
	image_normalize_remap(&remap);
	CHECK_EQ(remap.remap_type, REMAP_TYPE__GHOST);
	CHECK_EQ(remap.remap_id, 5);
	remap.has_remap_type = false;
	image_normalize_remap(&remap);
	CHECK_EQ(remap.remap_type, REMAP_TYPE__LINKED);
}

int main(void)
{
	struct image_dir dir = test_dir_open();
	struct model model;

	test_model_build(&model);
	test_old_remap();
	test_round_trip(&dir, &model);
	test_missing(&dir);
	test_damaged(&dir);
	model_free(&model);
	test_dir_remove(&dir);
	return test_end();
}
