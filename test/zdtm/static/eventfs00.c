#include <fcntl.h>
#include <sys/eventfd.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc = "Eventfds: counter, flags, one shared with a child";

static struct {
	unsigned long long value;
	int flags;
	int fd;
} events[] = {
	{ 0, EFD_NONBLOCK, -1 },
	{ 7, 0, -1 },
	{ 0xfffffffffffffffeULL, EFD_NONBLOCK | EFD_CLOEXEC, -1 },
};
#define NR ARRAY_SIZE(events)

static int shared;

static int child_check(void *arg)
{
	eventfd_t value;

	(void)arg;
	if (eventfd_read(shared, &value) || value != 5 + 6)
		return fail("child: the counter is not the parent's");
	return eventfd_write(shared, 99);
}

int main(int argc, char **argv)
{
	struct fd_state state[NR];
	eventfd_t value;
	unsigned int i;
	pid_t child;

	test_init(argc, argv);

	for (i = 0; i < NR; i++) {
		events[i].fd = eventfd(0, events[i].flags);
		if (events[i].fd < 0 || (events[i].value && eventfd_write(events[i].fd, events[i].value)) ||
		    fd_state_get(events[i].fd, &state[i]))
			return pr_perror("eventfd %u", i);
	}
	shared = eventfd(5, EFD_NONBLOCK);
	child = kid_start(NULL, child_check, NULL);
	if (shared < 0 || child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	for (i = 0; i < NR; i++) {
		/* Other eventfds have the same inode, so nothing is gained by comparing that. */
		if (fd_state_changed(events[i].fd, &state[i], FD_NEW_INODE))
			return fail("eventfd %u changed", i);
	}
	if (eventfd_read(events[0].fd, &value) != -1 || errno != EAGAIN)
		return fail("the empty one is not empty");
	if (eventfd_read(events[1].fd, &value) || value != 7)
		return fail("the counter is %lu", (unsigned long)value);
	/* Full: nothing can be added. */
	if (eventfd_write(events[2].fd, 1) != -1 || errno != EAGAIN)
		return fail("the full one is not full");
	if (eventfd_read(events[2].fd, &value) || value != events[2].value)
		return fail("the full one held %#lx", (unsigned long)value);
	if (eventfd_write(shared, 6) || kid_finish(child) || eventfd_read(shared, &value) || value != 99)
		return fail("child");

	pass();
	return 0;
}
