#include <fcntl.h>
#include <time.h>

#include "mem/memfd-seals.h"
#include "util/log.h"

/* The kernel itself waits a tenth of a second each time. */
#define TRIES	      50
#define RETRY_WAIT_NS 20000000L

int memfd_add_seals(int fd, uint32_t seals, const char *name)
{
	const struct timespec wait = { .tv_nsec = RETRY_WAIT_NS };
	int have = fcntl(fd, F_GET_SEALS);

	if (have < 0)
		return fail_errno("memfd \"%s\": read the seals", name);
	if (((uint32_t)have & seals) == seals)
		return 0;
	for (int i = 0; i < TRIES; i++) {
		if (!fcntl(fd, F_ADD_SEALS, seals))
			return 0;
		if (errno != EBUSY)
			break;
		nanosleep(&wait, NULL);
	}
	return fail_errno("memfd \"%s\": add seals %#x%s", name, seals,
			  errno == EBUSY ? " (something in the kernel still uses its pages)" : "");
}
