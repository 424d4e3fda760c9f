#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "mem/holders.h"
#include "mem/inode.h"
#include "mem/shmem.h"
#include "util/test.h"

static const struct options no_options;

static char dir[] = "/dev/shm/inode-test.XXXXXX";

static int make_file(const char *name, char **ret_path)
{
	*ret_path = xasprintf("%s/%s", dir, name);
	return open(*ret_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static char *link_text(int fd)
{
	char from[64], text[512];
	ssize_t n;

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	n = readlink(from, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	return xstrdup(text);
}

static struct inode *intern(struct inodes *inodes, int fd)
{
	auto_free char *name = link_text(fd);
	struct stat st;

	if (fstat(fd, &st))
		return NULL;
	return inode_intern(inodes, fd, &st, name);
}

static void test_identity(void)
{
	struct inodes inodes = { 0 };
	auto_free char *path_a = NULL, *path_b = NULL;
	auto_fd int a = make_file("a", &path_a), b = make_file("b", &path_b);
	auto_fd int again = open(path_a, O_PATH | O_CLOEXEC);
	struct inode *inode = intern(&inodes, a);

	CHECK_EQ(inode_same(a, a), 1);
	CHECK_EQ(inode_same(a, again), 1);
	CHECK_EQ(inode_same(a, b), 0);
	CHECK(inode_same(a, -1) < 0);
	CHECK(intern(&inodes, again) == inode);
	CHECK(intern(&inodes, b) != inode);
	CHECK_EQ(inodes.all.n, 2);
	CHECK_EQ(inode->id, 1);
	CHECK_EQ(inode->kind, INODE_FILE);
	CHECK(!inode->deleted && !inode->unlinked);
	CHECK_STR(inode->name, path_a);
	unlink(path_a);
	unlink(path_b);
	inodes_free(&inodes);
}

/* One number, given to two files one after the other: the handle tells them apart, where there is one. */
static void test_reused_number(void)
{
	struct inodes inodes = { 0 };
	auto_free char *path = NULL;
	auto_fd int fd = make_file("reused", &path);
	struct inode *first = intern(&inodes, fd), *second;

	if (!first->handle.bytes) {
		TEST_SKIP("no file handles in the directory of the test");
	} else {
		first->handle.data[first->handle.bytes - 1] ^= 1;
		second = intern(&inodes, fd);
		CHECK(second != first);
		CHECK_EQ(second->id, 2);
		CHECK(intern(&inodes, fd) == second);
		/* Without a handle only the numbers are left. */
		first->handle.bytes = 0;
		CHECK(inode_same_handle(&first->handle, &second->handle));
	}
	unlink(path);
	inodes_free(&inodes);
}

static void test_deleted(void)
{
	struct inodes inodes = { 0 };
	auto_free char *path = NULL, *named_so = NULL, *linked = NULL;
	auto_free char *other = xasprintf("%s/other", dir);
	auto_fd int fd = make_file("gone", &path);
	auto_fd int honest = make_file("name (deleted)", &named_so);
	auto_fd int left = make_file("linked", &linked);
	struct inode *inode;

	unlink(path);
	inode = intern(&inodes, fd);
	CHECK(inode->deleted && inode->unlinked);
	CHECK_STR(inode->name, path);

	inode = intern(&inodes, honest);
	CHECK(!inode->deleted && !inode->unlinked);
	CHECK_STR(inode->name, named_so);
	unlink(named_so);

	CHECK_EQ(link(linked, other), 0);
	unlink(linked);
	inode = intern(&inodes, left);
	CHECK(inode->deleted && !inode->unlinked);
	unlink(other);
	inodes_free(&inodes);
}

static void test_kinds(void)
{
	struct inodes inodes = { 0 };
	auto_fd int memfd = memfd_create("a name", MFD_CLOEXEC);
	auto_fd int anon = -1;
	int ends[2];
	char path[80];
	void *map = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct inode *inode = intern(&inodes, memfd);

	CHECK_EQ(inode->kind, INODE_MEMFD);
	CHECK_STR(inode->name, "/memfd:a name");
	CHECK(shmem_is_object(inode));

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(intern(&inodes, ends[0])->kind, INODE_OTHER);
	CHECK(intern(&inodes, ends[0]) == intern(&inodes, ends[1]));
	close(ends[0]);
	close(ends[1]);

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)map,
		 (unsigned long)map + PAGE_BYTES);
	anon = open(path, O_PATH | O_CLOEXEC);
	if (anon < 0) {
		TEST_SKIP("map_files can't be opened without CAP_CHECKPOINT_RESTORE");
	} else {
		CHECK_EQ(intern(&inodes, anon)->kind, INODE_ANON_SHARED);
		CHECK(intern(&inodes, anon) != inode);
	}
	munmap(map, PAGE_BYTES);
	inodes_free(&inodes);
}

/* --- holders ------------------------------------------------------------------- */

/* A process that is not our descendant and holds a descriptor and a mapping of @path_fd until @gate closes. */
static pid_t start_outsider(int path_fd, int flags, int gate[2])
{
	int report[2];
	char path[64];
	pid_t pid = -1;

	CHECK_EQ(pipe(report), 0);
	pid = fork();
	if (!pid) {
		pid_t middle = getpid();
		char byte;

		if (fork())
			_exit(0);
		close(gate[1]);
		/* Orphaned by now or soon: wait for it, as the scan walks up the parents. */
		while (getppid() == middle)
			usleep(1000);
		/* Of what it inherited only the two pipes are to stay. */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
		if (dup2(open(path, flags), 100) != 100 || dup2(report[1], 101) != 101 || dup2(gate[0], 102) != 102 ||
		    close_range(3, 99, 0) || mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, 100, 0) == MAP_FAILED)
			_exit(1);
		pid = getpid();
		if (write(101, &pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		_exit(read(102, &byte, 1) < 0);
	}
	waitpid(pid, NULL, 0);
	close(report[1]);
	CHECK_EQ(read(report[0], &pid, sizeof(pid)), sizeof(pid));
	close(report[0]);
	return pid;
}

static void check_outsiders(const outside_holders *outsiders, const struct inode *inode, pid_t pid)
{
	size_t maps = 0, fds = 0;

	for (size_t i = 0; i < outsiders->n; i++) {
		const struct outside_holder *holder = &outsiders->data[i];

		CHECK(holder->inode == inode);
		CHECK_EQ(holder->pid, pid);
		maps += holder->fd < 0 && holder->mapped_shared && !strcmp(holder->access, "r--s");
		fds += holder->fd >= 0 && !strcmp(holder->access, "rw");
	}
	CHECK_EQ(maps, 1);
	CHECK_EQ(fds, 1);
}

static void test_holders(void)
{
	struct remote_process outsider = { 0 }, *const processes[] = { &outsider };
	struct remote_tree nobody = { 0 }, all = { (struct remote_process **)processes, 1 };
	struct inodes inodes = { 0 };
	outside_holders outsiders = { 0 };
	struct refusals refusals = { 0 };
	auto_free char *path = NULL;
	auto_fd int fd = make_file("held", &path);
	struct inode *inode;
	int gate[2];
	char probe[80];
	pid_t child;

	snprintf(probe, sizeof(probe), "/proc/1/map_files");
	if (geteuid() || access(probe, R_OK)) {
		TEST_SKIP("other processes' mappings may only be examined by root");
		unlink(path);
		return;
	}
	unlink(path);
	inode = intern(&inodes, fd);
	inode->mapped_shared = true;
	CHECK_EQ(pipe2(gate, O_CLOEXEC), 0);

	/* A child of ours does not count, nor do we. */
	child = fork();
	if (!child) {
		close(gate[1]);
		_exit(read(gate[0], probe, 1) < 0);
	}
	CHECK_EQ(holders_find_outside(&inodes, &nobody, HOLDERS_OF_UNLINKED, &outsiders), 0);
	CHECK_EQ(outsiders.n, 0);

	outsider.pid = start_outsider(fd, O_RDWR, gate);
	CHECK_EQ(holders_find_outside(&inodes, &nobody, HOLDERS_OF_UNLINKED, &outsiders), 0);
	check_outsiders(&outsiders, inode, outsider.pid);
	VEC_FREE(&outsiders);
	CHECK_EQ(holders_find_outside(&inodes, &all, HOLDERS_OF_UNLINKED, &outsiders), 0);
	CHECK_EQ(outsiders.n, 0);
	VEC_FREE(&outsiders);

	CHECK_EQ(shmem_plan(&inodes, &all, &no_options, &refusals), 0);
	CHECK_EQ(refusals.n, 0);
	CHECK_EQ(shmem_plan(&inodes, &nobody, &no_options, &refusals), 0);
	CHECK_EQ(refusals.n, 1);
	refusals_free(&refusals);
	close(gate[1]);
	waitpid(child, NULL, 0);
	close(gate[0]);
	inodes_free(&inodes);
}

/* Two copies of what nobody can change are as good as one. */
static void test_readers(void)
{
	struct remote_tree nobody = { 0 };
	struct inodes inodes = { 0 };
	struct refusals refusals = { 0 };
	struct inode_holder writer = { .pid = 1, .fd = 3, .write = true };
	auto_free char *path = NULL;
	auto_fd int fd = make_file("read", &path);
	struct inode *inode;
	int gate[2];

	unlink(path);
	if (geteuid() || access("/proc/1/map_files", R_OK)) {
		TEST_SKIP("other processes' mappings may only be examined by root");
		return;
	}
	inode = intern(&inodes, fd);
	inode->mapped_shared = true;
	CHECK_EQ(pipe2(gate, O_CLOEXEC), 0);
	CHECK(start_outsider(fd, O_RDONLY, gate) > 0);
	CHECK_EQ(shmem_plan(&inodes, &nobody, &no_options, &refusals), 0);
	CHECK_EQ(refusals.n, 0);
	inode_add_holder(inode, &writer);
	CHECK_EQ(shmem_plan(&inodes, &nobody, &no_options, &refusals), 0);
	CHECK_EQ(refusals.n, 1);
	refusals_free(&refusals);
	close(gate[0]);
	close(gate[1]);
	inodes_free(&inodes);
}

int main(void)
{
	if (!mkdtemp(dir)) {
		TEST_SKIP("no directory in /dev/shm");
		return test_end();
	}
	test_identity();
	test_reused_number();
	test_deleted();
	test_kinds();
	test_holders();
	test_readers();
	CHECK_EQ(rmdir(dir), 0);
	return test_end();
}
