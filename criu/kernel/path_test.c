#include <errno.h>
#include <fcntl.h>

#include "kernel/path.h"
#include "util/mem.h"
#include "util/test.h"

static char dir[] = "/tmp/path-test-XXXXXX";

static char *in_dir(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void test_bare_len(void)
{
	auto_free char *odd = in_dir("x (deleted)");
	struct stat st = { 0 };

	CHECK_EQ(path_bare_len("/a/b", NULL), 4);
	CHECK_EQ(path_bare_len("/a/b (deleted)", &st), 4);
	CHECK_EQ(path_bare_len(" (deleted)", NULL), 10);
	close(open(odd, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	CHECK(!stat(odd, &st));
	CHECK_EQ(path_bare_len(odd, &st), strlen(odd));
	CHECK_EQ(path_bare_len(odd, NULL), strlen(odd) - strlen(PATH_DELETED_SUFFIX));
	unlink(odd);
}

static void test_open(void)
{
	auto_free char *real = in_dir("real"), *file = in_dir("real/file"), *link = in_dir("link");
	auto_free char *through = in_dir("link/file"), *to_file = in_dir("to-file");
	auto_fd int fd = -1, path_fd = -1, link_fd = -1, parent = -1;
	const char *name = NULL;
	struct stat st;

	CHECK(!mkdir(real, 0700) && !symlink("real", link) && !symlink("real/file", to_file));
	close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));

	fd = path_open(file, O_RDWR | O_NOFOLLOW);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	path_fd = path_open(file, O_PATH | O_RDWR | O_APPEND);
	CHECK(path_fd >= 0);
	CHECK_EQ(path_open(through, O_RDONLY), -ELOOP);
	CHECK_EQ(path_open(through, O_PATH | O_NOFOLLOW), -ELOOP);
	CHECK_EQ(path_open(to_file, O_RDONLY), -ELOOP);
	CHECK_EQ(path_open("/proc/self/fd/0", O_PATH), -ELOOP);
	link_fd = path_open(to_file, O_PATH | O_NOFOLLOW);
	CHECK(link_fd >= 0 && !fstat(link_fd, &st) && S_ISLNK(st.st_mode));

	parent = path_open_parent(file, &name);
	CHECK(parent >= 0);
	CHECK_STR(name, "file");
	CHECK(!unlinkat(parent, name, 0));
	CHECK_EQ(path_open_parent(through, &name), -ELOOP);
	CHECK_EQ(path_open_parent("relative", &name), -EINVAL);
	CHECK_EQ(path_open_parent("/tmp/", &name), -EINVAL);
	unlink(to_file);
	unlink(link);
	rmdir(real);
}

int main(void)
{
	CHECK(mkdtemp(dir) != NULL);
	test_bare_len();
	test_open();
	rmdir(dir);
	return test_end();
}
