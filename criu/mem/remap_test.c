#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "mem/ghost.h"
#include "mem/remap.h"
#include "util/test.h"

static char *dir; /* where the files are made */

static char *in_dir(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static size_t count_entries(void)
{
	DIR *stream = opendir(dir);
	size_t n = 0;

	while (readdir(stream))
		n++;
	closedir(stream);
	return n - 2;
}

static bool reads_as(int fd, const char *path)
{
	auto_free char *want = xasprintf("%s (deleted)", path);
	char from[64], text[512];
	ssize_t n;

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	n = readlink(from, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	return CHECK_STR(text, want);
}

static int reopen(int fd, int flags)
{
	char from[64];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	return open(from, flags | O_CLOEXEC);
}

static int fill_hello(int fd, void *arg)
{
	CHECK_EQ(pwrite(fd, "hello", 5, 0), 5);
	return 0;
}

static struct unnamed_file plain_file(const char *const *paths, size_t n_paths)
{
	return (struct unnamed_file){
		.paths = paths,
		.n_paths = n_paths,
		.mode = S_IFREG | 0444,
		.uid = geteuid(),
		.gid = getegid(),
		.size = 3 * PAGE_BYTES + 5,
		.atime = { 1000, 1 },
		.mtime = { 2000, 2 },
		.fill = fill_hello,
	};
}

static void test_regular(void)
{
	auto_free char *one = in_dir("one"), *two = in_dir("two");
	const char *paths[] = { one, two };
	struct unnamed_file file = plain_file(paths, 2);
	char text[6] = "";
	int fds[2];
	auto_fd int fd = -1;
	struct stat a, b;

	if (!CHECK_EQ(remap_make_unnamed(&file, fds), 0))
		return;
	reads_as(fds[0], one);
	reads_as(fds[1], two);
	CHECK(!fstat(fds[0], &a) && !fstat(fds[1], &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(a.st_nlink, 0);
	CHECK_EQ(a.st_mode, S_IFREG | 0444);
	CHECK_EQ(a.st_size, 3 * PAGE_BYTES + 5);
	CHECK(a.st_blocks * 512 <= 2 * (long)PAGE_BYTES);
	CHECK(a.st_mtim.tv_sec == 2000 && a.st_mtim.tv_nsec == 2 && a.st_atim.tv_sec == 1000);
	fd = reopen(fds[1], O_RDONLY);
	reads_as(fd, two);
	CHECK_EQ(read(fd, text, 5), 5);
	CHECK_STR(text, "hello");
	close(fds[0]);
	close(fds[1]);
	CHECK_EQ(count_entries(), 0);
}

static void test_xattrs(void)
{
	auto_free char *path = in_dir("tagged");
	const char *paths[] = { path };
	ShmemFileXattr xattr = SHMEM_FILE_XATTR__INIT, *xattrs[] = { &xattr };
	struct unnamed_file file = plain_file(paths, 1);
	char text[8] = "";
	auto_fd int fd = -1;
	int made;

	xattr.name = (char *)"user.tag";
	xattr.value = (ProtobufCBinaryData){ .len = 5, .data = (uint8_t *)"value" };
	file.xattrs = xattrs;
	file.n_xattrs = 1;
	if (!CHECK_EQ(remap_make_unnamed(&file, &made), 0))
		return;
	fd = reopen(made, O_RDONLY);
	if (fgetxattr(fd, "user.tag", text, sizeof(text)) < 0)
		TEST_SKIP("no user attributes on this file system");
	else
		CHECK_STR(text, "value");
	close(made);
}

/* A symbolic link in the place of the directory leads nowhere. */
static void test_symlinked_dir(void)
{
	auto_free char *real = in_dir("real"), *link = in_dir("linked"), *path = in_dir("linked/file");
	auto_free char *above = in_dir("file");
	const char *paths[] = { path };
	struct unnamed_file file = plain_file(paths, 1);
	int made;

	CHECK(!mkdir(real, 0700) && !symlink("real", link));
	if (CHECK_EQ(remap_make_unnamed(&file, &made), 0)) {
		reads_as(made, above);
		close(made);
	}
	CHECK(!unlink(link) && !rmdir(real));
	CHECK_EQ(count_entries(), 0);
}

/* The directory is gone, or the name belongs to somebody: neither is touched. */
static void test_other_places(void)
{
	auto_free char *gone = in_dir("no/such/dir/file"), *above = in_dir("file"), *taken = in_dir("taken");
	auto_free char *beside = in_dir("taken.criu-1");
	auto_fd int theirs = open(taken, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	const char *paths[] = { gone, taken };
	struct unnamed_file file = plain_file(paths, 2);
	struct stat a, b;
	int fds[2];

	if (!CHECK_EQ(remap_make_unnamed(&file, fds), 0))
		return;
	reads_as(fds[0], above);
	reads_as(fds[1], beside);
	close(fds[0]);
	close(fds[1]);
	CHECK(!fstat(theirs, &a) && !stat(taken, &b) && a.st_ino == b.st_ino && !a.st_size);
	CHECK_EQ(count_entries(), 1);
	unlink(taken);
}

/* On a file system of another type it is not made, neither there nor above. */
static void test_other_type(void)
{
	auto_free char *here = in_dir("file"), *gone = in_dir("no/such/dir/file");
	const char *paths[] = { here }, *gone_paths[] = { gone };
	struct unnamed_file file = plain_file(paths, 1);
	struct statfs fs;
	int made = -1;

	CHECK(!statfs(dir, &fs));
	file.fs_magic = (uint32_t)fs.f_type == FS_MAGIC_TMPFS ? 0xef53 : FS_MAGIC_TMPFS;
	file.fs_type = "otherfs";
	CHECK_EQ(remap_make_unnamed(&file, &made), -ENODEV);
	file.paths = gone_paths;
	CHECK_EQ(remap_make_unnamed(&file, &made), -ENODEV);
	CHECK_EQ(made, -1);
	file.fs_magic = (uint32_t)fs.f_type;
	if (CHECK_EQ(remap_make_unnamed(&file, &made), 0)) {
		reads_as(made, here);
		close(made);
	}
	CHECK_EQ(count_entries(), 0);
}

static void test_never_linked(void)
{
	auto_free char *path = in_dir("#123"), *name = in_dir("named at last");
	const char *paths[] = { path };
	struct unnamed_file file = plain_file(paths, 1);
	char from[64];
	int fd;

	if (!CHECK_EQ(remap_make_unnamed(&file, &fd), 0))
		return;
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	CHECK_EQ(linkat(AT_FDCWD, from, AT_FDCWD, name, AT_SYMLINK_FOLLOW), 0);
	unlink(name);
	close(fd);
	CHECK_EQ(count_entries(), 0);
}

static void test_types(void)
{
	static const mode_t types[] = { S_IFDIR | 0711, S_IFIFO | 0640, S_IFLNK | 0777 };
	auto_free char *path = in_dir("special");
	const char *paths[] = { path, path };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct unnamed_file file = plain_file(paths, 2);
		struct stat st;
		int fds[2];

		/* Different names are different links, which a directory can't have. */
		file.n_paths = S_ISDIR(types[i]) ? 2 : 1;
		file.mode = types[i];
		file.symlink_target = "to nowhere";
		if (!CHECK_EQ(remap_make_unnamed(&file, fds), 0))
			continue;
		for (size_t n = 0; n < file.n_paths; n++) {
			reads_as(fds[n], path);
			CHECK(!fstat(fds[n], &st));
			CHECK_EQ(st.st_mode, types[i]);
			CHECK_EQ(st.st_mtim.tv_sec, 2000);
			close(fds[n]);
		}
		CHECK_EQ(count_entries(), 0);
	}
}

/* --- killed at any moment -------------------------------------------------------------- */

static void make_for_ever(void)
{
	auto_free char *one = in_dir("one"), *two = in_dir("two"), *special = in_dir("special");
	const char *paths[] = { one, two }, *special_paths[] = { special };
	struct unnamed_file file = plain_file(paths, 2), fifo = plain_file(special_paths, 1), directory = fifo;
	struct guard *guard;

	fifo.mode = S_IFIFO | 0600;
	directory.mode = S_IFDIR | 0700;
	if (guard_start(&guard))
		_exit(1);
	file.guard = fifo.guard = directory.guard = guard;
	for (;;) {
		int fds[2];

		if (remap_make_unnamed(&file, fds) || close(fds[0]) || close(fds[1]) ||
		    remap_make_unnamed(&fifo, fds) || close(fds[0]) || remap_make_unnamed(&directory, fds) ||
		    close(fds[0]))
			_exit(1);
	}
}

static void test_killed(void)
{
	int left = 0;

	for (int round = 0; round < 30; round++) {
		pid_t pid = fork();
		int status;

		if (!pid)
			make_for_ever();
		usleep(5000 + round * 137);
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
		for (left = 500; left && count_entries(); left--)
			usleep(10000);
		if (!CHECK_EQ(count_entries(), 0))
			return;
	}
}

/* --- plan, ghosts and links ---------------------------------------------------------- */

struct world {
	struct inodes inodes;
	struct model model;
	struct options options;
	struct refusals refusals;
	struct image_dir images;
	char *images_path;
};

static void world_open(struct world *world)
{
	memset(world, 0, sizeof(*world));
	model_init(&world->model);
	world->images_path = in_dir("images");
	CHECK_EQ(mkdir(world->images_path, 0700), 0);
	CHECK_EQ(image_dir_open(world->images_path, &world->images), 0);
	world->options.ghost_limit_bytes = 1 << 20;
}

static void world_close(struct world *world)
{
	DIR *stream = opendir(world->images_path);
	struct dirent *entry;

	while ((entry = readdir(stream)))
		unlinkat(dirfd(stream), entry->d_name, 0);
	closedir(stream);
	CHECK_EQ(rmdir(world->images_path), 0);
	image_dir_close(&world->images);
	inodes_free(&world->inodes);
	refusals_free(&world->refusals);
	model_free(&world->model);
	free(world->images_path);
}

static struct inode *intern(struct inodes *inodes, int fd, const char *name)
{
	struct stat st;

	return fstat(fd, &st) ? NULL : inode_intern(inodes, fd, &st, name);
}

static struct inode *add_deleted(struct world *world, int fd, const char *path)
{
	auto_free char *link = xasprintf("%s (deleted)", path);
	struct inode *inode = intern(&world->inodes, fd, link);
	FileEntry *file = model_add_file(&world->model, FD_TYPES__REG);

	file->reg = model_new(&world->model, RegFileEntry, reg_file_entry__init);
	file->reg->id = file->id;
	file->reg->name = arena_strdup(world->model.arena, path);
	CHECK(remap_needed(inode, path));
	CHECK_EQ(remap_plan_file(inode, file, &world->model, &world->options, &world->refusals), 0);
	return inode;
}

static int plan(struct world *world)
{
	return remap_plan(&world->inodes, &world->model, &world->options, &world->refusals);
}

/* @bytes long, with a hole in the middle; checked after the way through an image. */
static void ghost_round_trip(off_t bytes, bool chunked)
{
	auto_free char *path = in_dir("ghost");
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640), back = -1;
	struct remap_restore *remaps;
	struct world world;
	struct stat st;
	char text[6] = "";

	world_open(&world);
	CHECK_EQ(ftruncate(fd, bytes), 0);
	CHECK_EQ(pwrite(fd, "start", 5, 0), 5);
	CHECK_EQ(pwrite(fd, "end", 3, bytes - 3), 3);
	unlink(path);
	add_deleted(&world, fd, path);
	CHECK_EQ(plan(&world), 0);
	CHECK_EQ(world.refusals.n, 0);
	CHECK_EQ(world.model.ghosts.n, 1);
	CHECK_EQ(world.model.ghosts.data[0].entry->chunks, chunked);
	CHECK_EQ(world.model.remaps.data[0]->remap_type, REMAP_TYPE__GHOST);
	CHECK_EQ(remap_dump(&world.inodes, &world.model, &world.images), 0);
	if (CHECK_EQ(remap_make(&world.model, &world.images, &world.options, NULL, NULL, &remaps), 0)) {
		CHECK_EQ(remap_fd(remaps, 99), -ENOENT);
		back = reopen(remap_fd(remaps, 1), O_RDWR);
		reads_as(back, path);
		CHECK(!fstat(back, &st));
		CHECK_EQ(st.st_size, bytes);
		CHECK_EQ(st.st_mode, S_IFREG | 0640);
		CHECK(!chunked || st.st_blocks * 512 < bytes);
		CHECK_EQ(pread(back, text, 5, 0), 5);
		CHECK_STR(text, "start");
		CHECK_EQ(pread(back, text, 5, bytes - 3), 3);
		CHECK(!memcmp(text, "end", 3));
		CHECK_EQ(remap_finish(remaps), 0);
		remap_restore_free(remaps);
	}
	world_close(&world);
	CHECK_EQ(count_entries(), 0);
}

static void test_ghost_limit(void)
{
	auto_free char *path = in_dir("big");
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	struct world world;
	struct inode *inode;

	world_open(&world);
	world.options.ghost_limit_bytes = PAGE_BYTES;
	CHECK_EQ(posix_fallocate(fd, 0, 4 * PAGE_BYTES), 0);
	unlink(path);
	inode = add_deleted(&world, fd, path);
	CHECK_EQ(plan(&world), 0);
	CHECK_EQ(world.refusals.n, 1);

	/* As shared memory it has no limit, even if the mapping is found last. */
	inode->mapped_shared = true;
	CHECK_EQ(plan(&world), 0);
	CHECK_EQ(world.refusals.n, 1);
	CHECK_EQ(world.model.remaps.n, 1);
	CHECK_EQ(world.model.remaps.data[0]->remap_type, REMAP_TYPE__SHMEM);
	CHECK_EQ(world.model.remaps.data[0]->remap_id, inode->id);
	world_close(&world);
}

static void test_link(void)
{
	auto_free char *path = in_dir("sem.tmp"), *name = in_dir("sem.name"), *link_path = in_dir("link_remap.2");
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	struct remap_restore *remaps;
	struct world world;
	struct inode *inode;
	struct stat st;

	world_open(&world);
	CHECK_EQ(link(path, name), 0);
	unlink(path);
	inode = add_deleted(&world, fd, path);
	CHECK_EQ(plan(&world), 0);
	CHECK_EQ(world.refusals.n, 1);
	world.options.link_remap = true;
	CHECK_EQ(plan(&world), 0);
	CHECK_EQ(world.refusals.n, 1);
	CHECK_STR(inode->link->reg->name, link_path);

	CHECK_EQ(remap_dump(&world.inodes, &world.model, &world.images), 0);
	CHECK(!remap_needed(inode, link_path));
	remap_undo(&world.inodes);
	CHECK(stat(link_path, &st));
	CHECK_EQ(remap_dump(&world.inodes, &world.model, &world.images), 0);

	if (CHECK_EQ(remap_make(&world.model, &world.images, &world.options, NULL, NULL, &remaps), 0)) {
		reads_as(remap_fd(remaps, 1), path);
		CHECK_EQ(inode_same(remap_fd(remaps, 1), fd), 1);
		CHECK(!stat(link_path, &st));
		CHECK_EQ(remap_finish(remaps), 0);
		CHECK(stat(link_path, &st));
		remap_restore_free(remaps);
	}
	CHECK(!stat(name, &st));
	unlink(name);
	world_close(&world);
	CHECK_EQ(count_entries(), 0);
}

static void test_needed(void)
{
	auto_free char *path = in_dir("here");
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640), other = -1;
	struct inodes inodes = { 0 };
	struct inode *inode = intern(&inodes, fd, path);

	CHECK(!remap_needed(inode, path));
	unlink(path);
	CHECK(remap_needed(inode, path));
	other = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	CHECK(remap_needed(inode, path));
	unlink(path);
	inodes_free(&inodes);
}

static void test_in(const char *template)
{
	dir = xstrdup(template);
	if (!mkdtemp(dir)) {
		TEST_SKIP(template);
		free(dir);
		return;
	}
	test_regular();
	test_xattrs();
	test_other_places();
	test_symlinked_dir();
	test_other_type();
	test_never_linked();
	test_types();
	test_needed();
	test_killed();
	ghost_round_trip(8, false);
	ghost_round_trip(12287, false);
	ghost_round_trip(12288, true);
	ghost_round_trip(1 << 20, true);
	test_ghost_limit();
	test_link();
	CHECK_EQ(rmdir(dir), 0);
	free(dir);
}

int main(void)
{
	auto_free char *cwd = getcwd(NULL, 0);
	auto_free char *here = xasprintf("%s/remap-test.XXXXXX", cwd);

	test_in("/dev/shm/remap-test.XXXXXX");
	test_in(here);
	return test_end();
}
