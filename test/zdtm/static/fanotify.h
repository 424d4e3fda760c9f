#ifndef ZDTM_FANOTIFY_H
#define ZDTM_FANOTIFY_H

/* What tests of fanotify share. Include zdtmtst.h first. */

#include <fcntl.h>
#include <poll.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

#include "taskutil.h"

/* The next event has just these bits; what others do to the file system is passed over. */
static inline int next_event(int fd, uint64_t mask, pid_t pid)
{
	char buf[4096] __attribute__((aligned(8)));

	for (;;) {
		const struct fanotify_event_metadata *event = (void *)buf;
		ssize_t n = read(fd, buf, sizeof(*event) + 256);

		if (n < 0)
			return pr_perror("no event %#llx", (unsigned long long)mask);
		for (; FAN_EVENT_OK(event, n); event = FAN_EVENT_NEXT(event, n)) {
			if (event->fd >= 0)
				close(event->fd);
			if (event->pid != pid)
				continue;
			if (event->mask != mask) {
				pr_err("event %#llx and not %#llx\n", (unsigned long long)event->mask,
				       (unsigned long long)mask);
				return -1;
			}
			return 0;
		}
	}
}

/* None, of ours. */
static inline int no_event(int fd, pid_t pid)
{
	char buf[4096] __attribute__((aligned(8)));
	const struct fanotify_event_metadata *event = (void *)buf;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (event = (void *)buf; FAN_EVENT_OK(event, n); event = FAN_EVENT_NEXT(event, n)) {
			if (event->fd >= 0)
				close(event->fd);
			if (event->pid == pid) {
				pr_err("event %#llx\n", (unsigned long long)event->mask);
				return -1;
			}
		}
	return 0;
}

#endif
