#include <sys/eventfd.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "taskutil.h"

const char *test_doc = "An eventfd that counts as a semaphore still gives one at a time";
const char *test_author = "The criu team";

#define COUNT 3

static int mode_is_shown(int fd)
{
	char path[64], line[128];
	int found = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "r");
	while (info && fgets(line, sizeof(line), info))
		found |= !strncmp(line, "eventfd-semaphore:", 18);
	if (info)
		fclose(info);
	return found;
}

int main(int argc, char **argv)
{
	struct fd_state state;
	eventfd_t value;
	int fd, k;

	test_init(argc, argv);

	fd = eventfd(COUNT, EFD_SEMAPHORE | EFD_NONBLOCK);
	if (fd < 0 || fd_state_get(fd, &state))
		return pr_perror("eventfd");
	if (!mode_is_shown(fd)) {
		skip("this kernel does not tell whether an eventfd is a semaphore (Linux 6.5 does)");
		return skipped_test();
	}

	test_daemon();
	test_waitsig();

	if (fd_state_changed(fd, &state, FD_NEW_INODE))
		return fail("the eventfd changed");
	for (k = 0; k < COUNT; k++)
		if (eventfd_read(fd, &value) || value != 1)
			return fail("the semaphore gave %lu", (unsigned long)value);
	if (eventfd_read(fd, &value) != -1 || errno != EAGAIN)
		return fail("the semaphore had too much");

	pass();
	return 0;
}
