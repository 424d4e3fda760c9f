#include <linux/mempolicy.h>
#include <sys/syscall.h>

#include "zdtmtst.h"
#include "delshm.h"

const char *test_doc = "Shared memory with a NUMA policy: the policy is lost, which the log says, nothing else is";

#define SIZE (8 * PG)

/* As the kernel counts: one bit more than it reads. */
static int bind_to_node_0(void *addr, size_t len)
{
	unsigned long nodes = 1;

	return syscall(SYS_mbind, addr, len, MPOL_BIND, &nodes, 8 * sizeof(nodes) + 1, 0);
}

int main(int argc, char **argv)
{
	char *maps[3];
	int fds[2], i;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	fds[0] = delshm_create("numa", SIZE);
	fds[1] = memfd_create("numa", 0);
	if (fds[0] < 0 || fds[1] < 0 || ftruncate(fds[1], SIZE) || delshm_unlink("numa"))
		return pr_perror("make the objects");
	for (i = 0; i < 3; i++) {
		maps[i] = i < 2 ? delshm_map(fds[i], SIZE, PROT_READ | PROT_WRITE, 0)
				: mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (!maps[i] || maps[i] == MAP_FAILED)
			return pr_perror("mmap %d", i);
		/* Not from the start. */
		if (bind_to_node_0(maps[i] + SIZE / 2, SIZE / 2)) {
			if (errno != ENOSYS && errno != EPERM && errno != EINVAL)
				return pr_perror("mbind");
			skip("no NUMA policy can be set: %s", strerror(errno));
			test_daemon();
			test_waitsig();
			pass();
			return 0;
		}
		pattern_fill(maps[i], SIZE, i);
	}

	test_daemon();
	test_waitsig();

	for (i = 0; i < 3; i++) {
		if (pattern_bad(maps[i], SIZE, i) >= 0)
			return fail("content of object %d changed", i);
		if (bind_to_node_0(maps[i] + SIZE / 2, SIZE / 2))
			return fail("object %d takes no policy", i);
	}
	if (map_is_fd(maps[0], fds[0]) != 1 || map_is_fd(maps[1], fds[1]) != 1)
		return fail("one object became two");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
