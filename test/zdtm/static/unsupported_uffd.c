#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "zdtmtst.h"
#include "taskutil.h"
#include "delshm.h"

const char *test_doc = "A deleted shared file registered with a userfaultfd is refused, and the job goes on unharmed";

#define SIZE (4 * PG)

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

int main(int argc, char **argv)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *map;
	int fd, uffd;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	fd = delshm_create("uffd", SIZE);
	if (fd < 0)
		return 1;
	map = delshm_map(fd, SIZE, PROT_READ | PROT_WRITE, 0);
	if (!map || delshm_unlink("uffd"))
		return 1;
	pattern_fill(map, SIZE, 1);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (uffd < 0 && (errno == ENOSYS || errno == EPERM)) {
		skip("no userfaultfd: %s", strerror(errno));
		return skipped_test();
	}
	range.range.start = (unsigned long)map;
	range.range.len = SIZE;
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &range))
		return pr_perror("userfaultfd");

	test_daemon();
	test_waitsig();

	if (pattern_bad(map, SIZE, 1) >= 0 || map_has_flag(map, "um") != 1)
		return fail("the mapping changed");
	if (ioctl(uffd, UFFDIO_UNREGISTER, &range.range))
		return fail("it is not registered any more");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
