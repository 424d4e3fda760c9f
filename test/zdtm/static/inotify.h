#ifndef ZDTM_INOTIFY_H
#define ZDTM_INOTIFY_H

/* Include zdtmtst.h first. */

#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* The next event of a non-blocking instance is this one: 0. @name: "" for none. */
static inline int next_event(int fd, int wd, uint32_t mask, const char *name)
{
	static char buf[65536] __attribute__((aligned(8)));
	static ssize_t at, end;
	struct inotify_event *event;

	if (at == end) {
		at = 0;
		end = read(fd, buf, sizeof(buf));
		if (end <= 0) {
			end = 0;
			pr_perror("no event, instead of %#x on watch %d", mask, wd);
			return 1;
		}
	}
	event = (struct inotify_event *)(buf + at);
	at += sizeof(*event) + event->len;
	if (event->wd == wd && event->mask == mask && !strcmp(event->len ? event->name : "", name))
		return 0;
	pr_err("watch %d told %#x of '%s', not %#x of '%s' on %d\n", event->wd, event->mask,
	       event->len ? event->name : "", mask, name, wd);
	return 1;
}

/* Nothing is left to read. */
static inline int no_event(int fd)
{
	char buf[sizeof(struct inotify_event) + NAME_MAX + 1] __attribute__((aligned(8)));
	struct inotify_event *event = (struct inotify_event *)buf;

	if (read(fd, buf, sizeof(buf)) == -1 && errno == EAGAIN)
		return 0;
	pr_err("watch %d told %#x of '%s'\n", event->wd, event->mask, event->len ? event->name : "");
	return 1;
}

#endif
