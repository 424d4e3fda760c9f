#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "zdtmtst.h"
#include "taskutil.h"
#include "memprop.h"

const char *test_doc = "Shared secret memory (memfd_secret), which nobody else may read, is refused";

#define SIZE (2 * PG)

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

int main(int argc, char **argv)
{
	char *map = MAP_FAILED;
	int fd;

	test_init(argc, argv);

	fd = syscall(SYS_memfd_secret, 0);
	if (fd >= 0 && ftruncate(fd, SIZE))
		return pr_perror("set the size");
	if (fd >= 0)
		map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		/* Not built in, turned off, or it would exceed the limit of locked memory. */
		if (errno != ENOSYS && errno != EAGAIN && errno != EPERM)
			return pr_perror("memfd_secret");
		skip("no memfd_secret: %s", strerror(errno));
		return skipped_test();
	}
	pattern_fill(map, SIZE, 1);

	test_daemon();
	test_waitsig();

	if (pattern_bad(map, SIZE, 1) >= 0 || map_is_fd(map, fd) != 1)
		return fail("the mapping changed");

	pass();
	return 0;
}
