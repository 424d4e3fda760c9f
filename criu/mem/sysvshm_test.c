/* Which mappings belong together; segments through an image and back, in an IPC namespace of the test's own. */
#include <errno.h>
#include <sched.h>

#include "image/test-dir.h"
#include "image/vma-status.h"
#include "mem/sysvshm-attach.h"
#include "mem/sysvshm.h"

/* --- attachments ------------------------------------------------------------------ */

#define MAX_VMAS 16

struct layout {
	MmEntry mm;
	VmaEntry vmas[MAX_VMAS];
	VmaEntry *list[MAX_VMAS];
	struct kept_range kept[MAX_VMAS];
};

static void layout_init(struct layout *layout)
{
	memset(layout, 0, sizeof(*layout));
	mm_entry__init(&layout->mm);
	layout->mm.vmas = layout->list;
}

/* All in pages. */
static void add_vma(struct layout *layout, uint64_t start, uint64_t n, uint64_t pgoff, uint64_t shmid, bool write)
{
	VmaEntry *vma = &layout->vmas[layout->mm.n_vmas];

	vma_entry__init(vma);
	vma->start = start * PAGE_BYTES;
	vma->end = (start + n) * PAGE_BYTES;
	vma->pgoff = pgoff * PAGE_BYTES;
	vma->shmid = shmid;
	vma->status = VMA_AREA_REGULAR | VMA_ANON_SHARED | VMA_AREA_SYSVIPC;
	vma->has_fdflags = true;
	vma->fdflags = write ? O_RDWR : O_RDONLY;
	layout->kept[layout->mm.n_vmas] = (struct kept_range){ vma->start, vma->end };
	layout->list[layout->mm.n_vmas++] = vma;
}

static void test_find(void)
{
	cleanup_with(attachments_free) attachment_list list = { 0 };
	struct layout layout;

	layout_init(&layout);
	add_vma(&layout, 2, 1, 10, 7, true); /* moved to below where it could begin */
	add_vma(&layout, 100, 2, 0, 7, true);
	add_vma(&layout, 102, 2, 2, 7, true);
	add_vma(&layout, 105, 1, 5, 7, true);
	add_vma(&layout, 106, 2, 6, 7, false); /* as if it came from the same place, but for reading */
	add_vma(&layout, 200, 4, 0, 7, true);
	add_vma(&layout, 300, 4, 0, 8, true);
	layout.list[layout.mm.n_vmas - 1]->status &= ~VMA_AREA_SYSVIPC;
	attachments_find(&layout.mm, &list);
	if (!CHECK_EQ(list.n, 4))
		return;
	CHECK_EQ(list.data[0].vmas.n, 1);
	CHECK_EQ(list.data[1].base, 100 * PAGE_BYTES);
	CHECK(list.data[1].vmas.n == 3 && list.data[1].vmas.data[2] == 3 && list.data[1].write);
	CHECK(list.data[2].vmas.n == 1 && !list.data[2].write);
	CHECK(!attachment_is_whole(&list.data[0], &layout.mm, PAGE_BYTES));
	CHECK(!attachment_is_whole(&list.data[1], &layout.mm, 6 * PAGE_BYTES));
	CHECK(attachment_is_whole(&list.data[3], &layout.mm, 4 * PAGE_BYTES));
	CHECK(!attachment_is_whole(&list.data[3], &layout.mm, 5 * PAGE_BYTES));
	layout.list[3]->start -= PAGE_BYTES;
	CHECK(attachment_is_whole(&list.data[1], &layout.mm, 6 * PAGE_BYTES));
}

/* The protection decides in images of mainline's. */
static void test_find_without_flags(void)
{
	cleanup_with(attachments_free) attachment_list list = { 0 };
	struct layout layout;

	layout_init(&layout);
	add_vma(&layout, 10, 1, 0, 1, true);
	add_vma(&layout, 20, 1, 0, 1, true);
	layout.list[0]->has_fdflags = layout.list[1]->has_fdflags = false;
	layout.list[1]->prot = PROT_READ | PROT_WRITE;
	attachments_find(&layout.mm, &list);
	CHECK(list.n == 2 && !list.data[0].write && list.data[1].write);
}

static void test_keep(void)
{
	struct layout layout;

	layout_init(&layout);
	add_vma(&layout, 100, 2, 0, 7, true);
	add_vma(&layout, 104, 2, 4, 7, true);
	add_vma(&layout, 200, 4, 0, 7, true);
	layout.kept[1].end -= PAGE_BYTES;
	attachments_keep(&layout.mm, layout.kept);
	CHECK(!layout.kept[0].end && !layout.kept[1].end);
	CHECK_EQ(layout.kept[2].end, 204 * PAGE_BYTES);
}

/* --- segments ---------------------------------------------------------------------- */

#define KEY	0x5a550001
#define SIZE	(3 * PAGE_BYTES + 10)
#define WHOLE	(4 * PAGE_BYTES)
#define ITS_ID	(3 * 32768 + 5) /* where the kernel would not put it by itself */
#define NEXT_ID "/proc/sys/kernel/shm_next_id"

struct world {
	struct inodes inodes;
	struct model model;
	struct options options;
	struct image_dir images;
	struct shmem_restore *made;
	int id;
	char *mem;
};

static int make_segment(int id, key_t key)
{
	auto_fd int fd = open(NEXT_ID, O_WRONLY | O_CLOEXEC);

	CHECK(dprintf(fd, "%d", id) > 0);
	return shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0640);
}

static struct inode *intern(struct world *world)
{
	auto_fd int fd = shmem_open_mapping(world->mem, WHOLE);
	struct inode_holder holder = { .pid = getpid(), .fd = -1, .write = true };
	struct inode *inode;
	char name[64];
	struct stat st;

	snprintf(name, sizeof(name), "/SYSV%08x (deleted)", KEY);
	if (!CHECK(fd >= 0 && !fstat(fd, &st)))
		exit(test_end());
	inode = inode_intern(&world->inodes, fd, &st, name);
	inode_add_holder(inode, &holder);
	inode->mapped_shared = true;
	return inode;
}

static void world_open(struct world *world, bool remove)
{
	struct inode *inode;
	struct refusals refusals = { 0 };
	struct page_pipeline *pipeline;
	struct shmem_dump_stats stats = { 0 };
	void *more;

	model_init(&world->model);
	world->id = make_segment(ITS_ID, KEY);
	CHECK_EQ(world->id, ITS_ID);
	world->mem = shmat(world->id, NULL, 0);
	memcpy(world->mem + PAGE_BYTES, "inside", 6);
	memcpy(world->mem + WHOLE - 6, "behind", 6);
	if (remove)
		CHECK_EQ(shmctl(world->id, IPC_RMID, NULL), 0);

	inode = intern(world);
	CHECK_EQ(inode->kind, INODE_SYSV);
	CHECK(inode->unlinked && shmem_is_object(inode));
	sysvshm_plan(inode, &world->options, &refusals);
	CHECK_EQ(refusals.n, 0);
	more = shmat(world->id, NULL, SHM_RDONLY);
	sysvshm_plan(inode, &world->options, &refusals);
	CHECK_EQ(refusals.n, 1);
	refusals_free(&refusals);
	shmdt(more);

	CHECK_EQ(page_pipeline_start(&world->images, &pipeline), 0);
	CHECK_EQ(shmem_dump(&world->inodes, &world->model, pipeline, &stats), 0);
	CHECK_EQ(page_pipeline_finish(pipeline), 0);
	CHECK_EQ(stats.pages_written, 2);
	/* What the model keeps of it is not what the inode does. */
	inodes_free(&world->inodes);
}

static void world_close(struct world *world)
{
	shmem_restore_free(world->made);
	world->made = NULL;
	model_free(&world->model);
}

static int make(struct world *world)
{
	return shmem_make(&world->model, &world->images, &world->options, NULL, &world->made);
}

static void check_made(struct world *world, int id, int mode, key_t key)
{
	const struct sysvshm *segment = shmem_sysv(world->made, world->model.sysv_shms.data[0]->shmid);
	struct shmid_ds ds;
	char *mem;

	if (!CHECK(segment && segment->id == id && segment->bytes == WHOLE) || !CHECK(!shmctl(id, IPC_STAT, &ds)))
		return;
	CHECK_EQ(ds.shm_perm.mode, mode);
	CHECK_EQ(ds.shm_perm.__key, key);
	CHECK_EQ(ds.shm_segsz, SIZE);
	CHECK_EQ(ds.shm_nattch, 1);
	mem = shmat(id, NULL, SHM_RDONLY);
	CHECK(!memcmp(mem + PAGE_BYTES, "inside", 6) && !memcmp(mem + WHOLE - 6, "behind", 6));
	CHECK(!mem[0] && !mem[2 * PAGE_BYTES] && !mem[WHOLE - 7]);
	shmdt(mem);
	CHECK_EQ(shmem_settle(world->made), 0);
	CHECK_EQ(shmctl(id, IPC_STAT, &ds) ? 0 : ds.shm_nattch, 0);
}

static void test_removed(struct world *world)
{
	int other;

	world_open(world, true);
	CHECK_EQ(make(world), -EBUSY); /* we have it attached, so it still exists */
	shmdt(world->mem);

	CHECK_EQ(make(world), 0);
	check_made(world, ITS_ID, 0640 | SHM_DEST, IPC_PRIVATE);
	CHECK(shmctl(ITS_ID, IPC_RMID, NULL) < 0);
	shmem_restore_free(world->made);

	other = make_segment(ITS_ID, IPC_PRIVATE);
	CHECK_EQ(make(world), 0);
	CHECK(shmem_sysv(world->made, 1)->id != ITS_ID);
	CHECK_EQ(shmctl(other, IPC_RMID, NULL), 0);
	world_close(world);
}

static void test_kept(struct world *world)
{
	int other;

	world_open(world, false);
	CHECK_EQ(make(world), -EBUSY); /* we have it attached */
	memset(world->mem, 'x', WHOLE);
	shmdt(world->mem);
	CHECK_EQ(make(world), 0);
	check_made(world, ITS_ID, 0640, KEY);
	shmem_restore_free(world->made);
	world->made = NULL;

	CHECK_EQ(shmctl(ITS_ID, IPC_RMID, NULL), 0);
	other = make_segment(ITS_ID, KEY);
	world->model.sysv_shms.data[0]->ctime--; /* it may have been made in the same second */
	CHECK_EQ(make(world), -EEXIST);
	CHECK_EQ(shmctl(other, IPC_RMID, NULL), 0);
	other = make_segment(ITS_ID + 32768, IPC_PRIVATE);
	CHECK_EQ(make(world), -EEXIST);
	CHECK_EQ(shmctl(other, IPC_RMID, NULL), 0);
	other = make_segment(ITS_ID + 1, KEY);
	CHECK_EQ(make(world), -EEXIST);
	CHECK_EQ(shmctl(other, IPC_RMID, NULL), 0);

	CHECK_EQ(make(world), 0);
	check_made(world, ITS_ID, 0640, KEY);
	CHECK_EQ(shmctl(ITS_ID, IPC_RMID, NULL), 0);
	world_close(world);
}

int main(void)
{
	struct world world = { 0 };

	test_find();
	test_find_without_flags();
	test_keep();
	if (unshare(CLONE_NEWIPC)) {
		TEST_SKIP("no IPC namespace of its own without CAP_SYS_ADMIN");
		return test_end();
	}
	world.images = test_dir_open();
	test_removed(&world);
	test_kept(&world);
	test_dir_remove(&world.images);
	return test_end();
}
