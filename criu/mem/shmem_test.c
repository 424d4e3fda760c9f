/* Objects through an image and back, without tasks: the holders are ourselves. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "image/vma-status.h"
#include "kernel/hugepages.h"
#include "mem/remap.h"
#include "util/test.h"

static char dir[] = "/dev/shm/shmem-test.XXXXXX";

struct world {
	struct inodes inodes;
	struct model model;
	struct options options;
	struct image_dir images;
	char *images_path;
	struct shmem_dump_stats stats;
	struct shmem_restore *made;
};

static void world_open(struct world *world)
{
	memset(world, 0, sizeof(*world));
	model_init(&world->model);
	world->images_path = xasprintf("%s/images", dir);
	CHECK_EQ(mkdir(world->images_path, 0700), 0);
	CHECK_EQ(image_dir_open(world->images_path, &world->images), 0);
}

static void world_close(struct world *world)
{
	DIR *stream = opendir(world->images_path);
	struct dirent *entry;

	while ((entry = readdir(stream)))
		unlinkat(dirfd(stream), entry->d_name, 0);
	closedir(stream);
	CHECK_EQ(rmdir(world->images_path), 0);
	shmem_restore_free(world->made);
	image_dir_close(&world->images);
	inodes_free(&world->inodes);
	model_free(&world->model);
	free(world->images_path);
}

static bool round_trip(struct world *world)
{
	struct page_pipeline *pipeline;

	CHECK_EQ(page_pipeline_start(&world->images, &pipeline), 0);
	CHECK_EQ(shmem_dump(&world->inodes, &world->model, pipeline, &world->stats), 0);
	CHECK_EQ(page_pipeline_finish(pipeline), 0);
	return CHECK_EQ(shmem_make(&world->model, &world->images, &world->options, NULL, &world->made), 0);
}

static struct inode *intern(struct world *world, int fd)
{
	char from[64], text[512];
	struct stat st;
	ssize_t n;

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	n = readlink(from, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	if (fstat(fd, &st))
		return NULL;
	return inode_intern(&world->inodes, fd, &st, text);
}

static int reopen(int fd, int flags)
{
	char from[64];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	return open(from, flags | O_CLOEXEC);
}

/* Data of 3 MiB with zero pages inside, a hole, a page of zeros only, and a tail of 5 bytes. */
#define PATTERN_BYTES (3 * 1024 * 1024L)
#define TAIL_OFFSET   (64 * 1024 * 1024L)
#define PATTERN_SIZE  (TAIL_OFFSET + 5)

static uint64_t pattern_at(size_t word)
{
	size_t page = word * 8 / PAGE_BYTES;

	return page % 7 == 3 || page % 11 == 10 ? 0 : word * 0x9e3779b97f4a7c15ULL + 1;
}

static void write_pattern(int fd)
{
	uint64_t *words = malloc(PATTERN_BYTES);
	static const char zeros[PAGE_BYTES];

	for (size_t i = 0; i < PATTERN_BYTES / 8; i++)
		words[i] = pattern_at(i);
	CHECK_EQ(ftruncate(fd, PATTERN_SIZE), 0);
	CHECK_EQ(pwrite(fd, words, PATTERN_BYTES, 0), PATTERN_BYTES);
	CHECK_EQ(pwrite(fd, zeros, PAGE_BYTES, TAIL_OFFSET / 2), PAGE_BYTES);
	CHECK_EQ(pwrite(fd, "tail!", 5, TAIL_OFFSET), 5);
	free(words);
}

static void check_pattern(int fd)
{
	uint64_t *words = malloc(PATTERN_BYTES);
	char tail[PAGE_BYTES];
	struct stat st;
	bool good = true;

	CHECK_EQ(pread(fd, words, PATTERN_BYTES, 0), PATTERN_BYTES);
	for (size_t i = 0; i < PATTERN_BYTES / 8; i++)
		good &= words[i] == pattern_at(i);
	CHECK(good);
	CHECK_EQ(pread(fd, tail, sizeof(tail), TAIL_OFFSET), 5);
	CHECK(!memcmp(tail, "tail!", 5));
	CHECK(!fstat(fd, &st));
	CHECK_EQ(st.st_size, PATTERN_SIZE);
	CHECK(st.st_blocks * 512 <= PATTERN_BYTES + (long)PAGE_BYTES);
	free(words);
}

static void test_memfd(void)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	auto_fd int fd = memfd_create("sealed one", MFD_CLOEXEC | MFD_ALLOW_SEALING), back = -1;
	struct world world;
	struct inode *inode;
	struct stat st;
	char link[64], text[64] = "";

	world_open(&world);
	write_pattern(fd);
	CHECK_EQ(fchmod(fd, 0640), 0);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, seals), 0);
	inode = intern(&world, fd);
	if (round_trip(&world)) {
		CHECK_STR(world.model.memfds.data[0]->name, "sealed one");
		CHECK(world.stats.pages_written < world.stats.pages_scanned);
		back = reopen(shmem_memfd_fd(world.made, inode->id), O_RDONLY);
		check_pattern(back);
		CHECK_EQ(fcntl(back, F_GET_SEALS), seals);
		CHECK(!fstat(back, &st) && (st.st_mode & 07777) == 0640);
		snprintf(link, sizeof(link), "/proc/self/fd/%d", back);
		CHECK(readlink(link, text, sizeof(text) - 1) > 0);
		CHECK_STR(text, "/memfd:sealed one (deleted)");
		CHECK(shmem_memfd_fd(world.made, 99) < 0);
		CHECK_EQ(shmem_settle(world.made), 0);
	}
	world_close(&world);
}

/* This seal lets the mappings that exist go on writing: it comes when they are there again. */
static void test_future_write(void)
{
	auto_fd int fd = memfd_create("", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct world world;
	struct inode *inode;
	void *map = MAP_FAILED;

	world_open(&world);
	CHECK_EQ(ftruncate(fd, PAGE_BYTES), 0);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	inode = intern(&world, fd);
	if (round_trip(&world)) {
		auto_fd int back = reopen(shmem_memfd_fd(world.made, inode->id), O_RDWR);

		map = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, back, 0);
		CHECK(map != MAP_FAILED);
		CHECK_EQ(shmem_settle(world.made), 0);
		CHECK_EQ(fcntl(back, F_GET_SEALS), F_SEAL_FUTURE_WRITE);
		CHECK(mmap(NULL, PAGE_BYTES, PROT_WRITE, MAP_SHARED, back, 0) == MAP_FAILED);
		munmap(map, PAGE_BYTES);
	}
	world_close(&world);
}

static void test_file(void)
{
	auto_free char *path = xasprintf("%s/shared", dir);
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0604), back = -1;
	struct timespec times[] = { { 100, 10 }, { 200, 20 } };
	struct world world;
	struct inode *inode;
	struct stat st;

	world_open(&world);
	write_pattern(fd);
	CHECK_EQ(futimens(fd, times), 0);
	unlink(path);
	inode = intern(&world, fd);
	CHECK(!shmem_is_object(inode));
	inode->mapped_shared = true;
	CHECK(shmem_is_object(inode));
	if (round_trip(&world)) {
		back = reopen(shmem_file_fd(world.made, inode->id, path), O_RDWR);
		CHECK(shmem_file_fd(world.made, inode->id, "/another") < 0);
		CHECK(shmem_file_fd(world.made, 99, path) < 0);
		CHECK_EQ(inode_same(fd, back), 0);
		check_pattern(back);
		CHECK_EQ(shmem_settle(world.made), 0);
		CHECK(!fstat(back, &st));
		CHECK_EQ(st.st_nlink, 0);
		CHECK_EQ(st.st_mode, S_IFREG | 0604);
		CHECK(st.st_mtim.tv_sec == 200 && st.st_mtim.tv_nsec == 20 && st.st_atim.tv_sec == 100);
	}
	CHECK(access(path, F_OK));
	world_close(&world);
}

static void add_anon_task(struct world *world, uint64_t shmid, uint64_t bytes)
{
	struct task_image *task = model_add_task(&world->model);
	VmaEntry *vma = model_new(&world->model, VmaEntry, vma_entry__init);

	task->pstree = model_new(&world->model, PstreeEntry, pstree_entry__init);
	task->mm = model_new(&world->model, MmEntry, mm_entry__init);
	task->mm->n_vmas = 1;
	task->mm->vmas = arena_array(world->model.arena, VmaEntry *, 1);
	task->mm->vmas[0] = vma;
	vma->status = VMA_AREA_REGULAR | VMA_ANON_SHARED;
	vma->shmid = shmid;
	vma->start = 0x10000;
	vma->end = vma->start + bytes / 2;
	vma->pgoff = bytes / 2;
}

static void test_anon(void)
{
	uint64_t bytes = 8 * 1024 * 1024;
	char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	auto_fd int fd = -1;
	struct world world;
	struct inode *inode;
	char path[80], text[8] = "";

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)map, (unsigned long)(map + bytes));
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		TEST_SKIP("map_files can't be opened without CAP_CHECKPOINT_RESTORE");
		munmap(map, bytes);
		return;
	}
	world_open(&world);
	memcpy(map, "start", 5);
	memcpy(map + bytes - 3, "end", 3);
	inode = intern(&world, fd);
	add_anon_task(&world, inode->id, bytes);
	if (round_trip(&world)) {
		int back = shmem_anon_fd(world.made, inode->id);
		char *again = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, back, 0);

		CHECK_EQ(world.stats.pages_written, 2);
		CHECK(again != MAP_FAILED && !memcmp(again, "start", 5) && !memcmp(again + bytes - 3, "end", 3));
		again[1] = 'm';
		CHECK_EQ(pread(back, text, 5, 0), 5);
		CHECK_STR(text, "smart");
		munmap(again, bytes);
		CHECK_EQ(shmem_anon_fd(world.made, 99), -ENOENT);
	}
	munmap(map, bytes);
	world_close(&world);
}

/* As on a kernel that has none. */
static bool forbid_userfaultfd(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { ARRAY_SIZE(code), code };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

/* Three pages: data in the middle of the first, a hole, and one of zeros. *ret_pages: how many came back. */
static void huge_round_trip(uint64_t page_bytes, uint64_t *ret_pages)
{
	auto_fd int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	char text[8] = "";
	struct world world;
	struct stat st = { 0 };
	char *map;

	CHECK(!ftruncate(fd, 3 * page_bytes) && !fallocate(fd, 0, 2 * page_bytes, page_bytes));
	map = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!CHECK(map != MAP_FAILED))
		return;
	memcpy(map + page_bytes / 2, "middle", 6);
	munmap(map, page_bytes);
	world_open(&world);
	if (CHECK(intern(&world, fd)) && round_trip(&world)) {
		auto_fd int back = reopen(shmem_memfd_fd(world.made, 1), O_RDONLY);

		CHECK(world.inodes.all.data[0]->kind == INODE_MEMFD);
		CHECK_EQ(world.model.memfds.data[0]->hugetlb_flag, MFD_HUGETLB | huge_size_flag(page_bytes));
		CHECK(!fstat(back, &st));
		CHECK_EQ(st.st_size, 3 * page_bytes);
		CHECK_EQ(pread(back, text, 7, page_bytes / 2), 7);
		CHECK_STR(text, "middle");
	}
	*ret_pages = st.st_blocks * 512 / page_bytes;
	world_close(&world);
}

static void test_huge(void)
{
	uint64_t pages = 0, page_bytes = huge_flag_bytes(MFD_HUGETLB);
	struct huge_pool pool;

	if (!page_bytes || huge_pool_read(page_bytes, &pool) || huge_pool_available(&pool) < 4) {
		TEST_SKIP("fewer than 4 huge pages are free");
		return;
	}
	if (geteuid() == 0) {
		huge_round_trip(page_bytes, &pages);
		CHECK_EQ(pages, 2);
	}
	/* Nobody tells now that there is a page of zeros. */
	if (CHECK(forbid_userfaultfd())) {
		huge_round_trip(page_bytes, &pages);
		CHECK_EQ(pages, 1);
	}
}

/* Sizes and places that no kernel gave. */
static void test_bad_images(void)
{
	struct world world;
	VmaEntry *vma;

	world_open(&world);
	add_anon_task(&world, 1, 2 * PAGE_BYTES);
	vma = world.model.tasks.data[0].mm->vmas[0];
	vma->pgoff = UINT64_MAX - PAGE_BYTES + 1;
	CHECK(shmem_make(&world.model, &world.images, &world.options, NULL, &world.made) < 0);
	vma->pgoff = 0;
	vma->end = vma->start;
	CHECK(shmem_make(&world.model, &world.images, &world.options, NULL, &world.made) < 0);
	world_close(&world);
}

int main(void)
{
	if (!mkdtemp(dir)) {
		TEST_SKIP("no directory in /dev/shm");
		return test_end();
	}
	test_memfd();
	test_future_write();
	test_file();
	test_anon();
	test_bad_images();
	test_huge();
	CHECK_EQ(rmdir(dir), 0);
	return test_end();
}
