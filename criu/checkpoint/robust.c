#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "checkpoint/robust.h"
#include "task/task.h"
#include "util/log.h"

struct killing {
	struct dump *dump;
	const vma_list *vmas;
};

/* In memory that the tree gets a copy of, while others keep the object? */
static bool note_left_behind(void *arg, uint64_t addr)
{
	const struct killing *killing = arg;

	for (size_t i = 0; i < killing->vmas->n; i++) {
		const struct vma *vma = &killing->vmas->data[i];

		if (addr < vma->entry->start || addr >= vma->entry->end)
			continue;
		if (!vma->inode || !vma->inode->outsiders.n || vma->inode->attached)
			return false;
		VEC_PUSH(&killing->dump->left_futexes,
			 ((struct left_futex){ vma->inode, vma->entry->pgoff + addr - vma->entry->start }));
		return true;
	}
	return false;
}

void robust_disarm(struct dump *dump)
{
	for (size_t i = 0; i < dump->tree.n; i++) {
		struct killing killing = { dump, &dump->vmas[i] };

		for (size_t j = 0; j < dump->processes[i]->n_threads; j++)
			task_disarm(&dump->processes[i]->threads[j], note_left_behind, &killing);
	}
}

static int wake(const struct left_futex *futex)
{
	const size_t bytes = futex->inode->huge_bytes ?: PAGE_BYTES;
	const uint64_t in_page = futex->offset % bytes;
	auto_fd int fd = inode_open_to_read(futex->inode);
	char *page;
	int ret;

	if (fd < 0)
		return fd;
	page = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, (off_t)(futex->offset - in_page));
	if (page == MAP_FAILED)
		return -errno;
	ret = syscall(SYS_futex, page + in_page, FUTEX_WAKE, INT_MAX, NULL, NULL, 0) < 0 ? -errno : 0;
	munmap(page, bytes);
	/* A futex that inherits priorities, which the kernel itself hands to a waiter. */
	return ret == -EINVAL ? 0 : ret;
}

void robust_wake(struct dump *dump)
{
	for (size_t i = 0; i < dump->left_futexes.n; i++) {
		int err = wake(&dump->left_futexes.data[i]);

		if (err)
			pr_warn("%s: processes outside the tree that wait for a robust futex in it may not learn that "
				"its "
				"owner was killed: %s",
				dump->left_futexes.data[i].inode->name, strerror(-err));
	}
}
