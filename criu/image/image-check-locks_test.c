#include <errno.h>
#include <fcntl.h>

#include "image/image-check.h"
#include "util/test.h"

/* Task 10 with descriptor 3, and a zombie. */
static void build(struct model *model)
{
	static FdinfoEntry entry, *fds[] = { &entry };
	static PstreeEntry alive, zombie;
	static TaskKobjIdsEntry ids;
	struct fdtable_image *table;
	struct task_image *task;

	model_init(model);
	pstree_entry__init(&alive);
	pstree_entry__init(&zombie);
	task_kobj_ids_entry__init(&ids);
	fdinfo_entry__init(&entry);
	alive.pid = 10;
	zombie.pid = 11;
	ids.files_id = 7;
	entry.fd = 3;
	task = model_add_task(model);
	task->pstree = &alive;
	task->ids = &ids;
	model_add_task(model)->pstree = &zombie;
	table = VEC_ADD(&model->fdtables);
	table->files_id = 7;
	table->fds = fds;
	table->n_fds = 1;
	CHECK(!model_index(model));
}

static const struct {
	uint32_t flag, type;
	int32_t pid, fd;
	int64_t start, len;
	int expected;
} cases[] = {
	{ FILE_LOCK_POSIX, F_RDLCK, 10, 3, 0, 0, 0 },
	{ FILE_LOCK_POSIX, F_WRLCK, 10, 3, 100, INT64_MAX - 100, 0 },
	{ FILE_LOCK_FLOCK, F_WRLCK, 10, 3, 0, 0, 0 },
	{ FILE_LOCK_OFD, F_WRLCK, 10, 3, INT64_MAX, 0, 0 },
	{ FILE_LOCK_LEASE, F_RDLCK, 10, 3, 0, 0, 0 },
	{ FILE_LOCK_LEASE, FILE_LOCK_BREAKING | F_UNLCK, 10, 3, 0, 0, 0 },
	{ FILE_LOCK_LEASE, FILE_LOCK_BREAKING | F_WRLCK, 10, 3, 0, 0, -EINVAL },
	{ FILE_LOCK_LEASE, F_UNLCK, 10, 3, 0, 0, -EINVAL },
	{ FILE_LOCK_FLOCK, F_UNLCK, 10, 3, 0, 0, -EINVAL },
	{ FILE_LOCK_FLOCK, FILE_LOCK_BREAKING, 10, 3, 0, 0, -EINVAL },
	{ 0, F_RDLCK, 10, 3, 0, 0, -EINVAL },
	{ FILE_LOCK_POSIX | FILE_LOCK_FLOCK, F_RDLCK, 10, 3, 0, 0, -EINVAL },
	{ FILE_LOCK_POSIX, F_RDLCK, 12, 3, 0, 0, -EINVAL },
	{ FILE_LOCK_POSIX, F_RDLCK, 11, 3, 0, 0, -EINVAL },
	{ FILE_LOCK_POSIX, F_RDLCK, -1, 3, 0, 0, -EINVAL },
	{ FILE_LOCK_POSIX, F_RDLCK, 10, 4, 0, 0, -EINVAL },
	{ FILE_LOCK_POSIX, F_RDLCK, 10, -1, 0, 0, -EINVAL },
	{ FILE_LOCK_POSIX, F_RDLCK, 10, 3, -1, 0, -EINVAL },
	{ FILE_LOCK_POSIX, F_RDLCK, 10, 3, 0, -1, -EINVAL },
	{ FILE_LOCK_POSIX, F_RDLCK, 10, 3, 101, INT64_MAX - 100, -EINVAL },
};

int main(void)
{
	struct model model;

	build(&model);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		FileLockEntry lock = FILE_LOCK_ENTRY__INIT;

		lock.flag = cases[i].flag;
		lock.type = cases[i].type;
		lock.pid = cases[i].pid;
		lock.fd = cases[i].fd;
		lock.start = cases[i].start;
		lock.len = cases[i].len;
		VEC_PUSH(&model.file_locks, &lock);
		if (!CHECK_EQ(image_check_locks(&model), cases[i].expected))
			printf("\tcase %zu\n", i);
		model.file_locks.n = 0;
	}
	model_free(&model);
	return test_end();
}
