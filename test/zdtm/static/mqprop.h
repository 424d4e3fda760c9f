#ifndef ZDTM_STATIC_MQPROP_H
#define ZDTM_STATIC_MQPROP_H

/* POSIX message queues: what tests ask of them. */

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "zdtmtst.h"

#define MQ_BYTES 64

/* A queue for @max messages; -1 if there is none, errno says why. */
static inline mqd_t mq_make(const char *name, int flags, long max)
{
	struct mq_attr attr = { .mq_maxmsg = max, .mq_msgsize = MQ_BYTES };

	return mq_open(name, O_RDWR | O_CREAT | O_EXCL | flags, 0640, &attr);
}

static inline mqd_t mq_make_unlinked(const char *name, int flags, long max)
{
	mqd_t queue = mq_make(name, flags, max);

	return queue < 0 || mq_unlink(name) ? -1 : queue;
}

static inline int mq_put(mqd_t queue, const char *text, unsigned int priority)
{
	return mq_send(queue, text, strlen(text), priority) ? pr_perror("mq_send of \"%s\"", text) : 0;
}

/* The next message is another one, or none comes within a long time. */
static inline int mq_differs(mqd_t queue, const char *text, unsigned int priority)
{
	struct timespec until;
	char found[MQ_BYTES];
	unsigned int found_priority;
	ssize_t n;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	n = mq_timedreceive(queue, found, sizeof(found), &found_priority, &until);
	if (n < 0) {
		fail("no message \"%s\"", text);
		return 1;
	}
	if ((size_t)n == strlen(text) && !memcmp(found, text, (size_t)n) && found_priority == priority)
		return 0;
	errno = 0;
	fail("message \"%.*s\" of priority %u instead of \"%s\" of %u", (int)n, found, found_priority, text, priority);
	return 1;
}

/* Sizes, flags and how many messages wait. */
static inline int mq_attr_differs(mqd_t queue, int flags, long max, long waiting)
{
	struct mq_attr attr;

	if (mq_getattr(queue, &attr))
		return 1;
	return attr.mq_flags != flags || attr.mq_maxmsg != max || attr.mq_msgsize != MQ_BYTES ||
	       attr.mq_curmsgs != waiting;
}

/* Which process is told of messages, as the kernel has it; 0: none. */
static inline int mq_told(mqd_t queue)
{
	char text[256];
	ssize_t n = pread(queue, text, sizeof(text) - 1, 0);
	char *pid;

	if (n < 0)
		return -1;
	text[n] = '\0';
	pid = strstr(text, "NOTIFY_PID:");
	return pid ? atoi(pid + 11) : -1;
}

#endif
