#ifndef ZDTM_MSGPROP_H
#define ZDTM_MSGPROP_H

/* System V message queues. Include zdtmtst.h first. */

#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

struct msg {
	long type;
	char text[8192];
};

static inline int msg_send(int id, long type, const char *text, size_t bytes)
{
	struct msg msg = { .type = type };

	memcpy(msg.text, text, bytes);
	return msgsnd(id, &msg, bytes, 0) ? pr_perror("msgsnd to %d", id) : 0;
}

/* 1, with a message, unless the next message is this one. */
static inline int msg_differs(int id, long type, const char *text, size_t bytes)
{
	struct msg msg;
	ssize_t n = msgrcv(id, &msg, sizeof(msg.text), 0, IPC_NOWAIT);

	if (n < 0)
		return pr_perror("no message in %d", id);
	if (msg.type != type || (size_t)n != bytes || memcmp(msg.text, text, bytes))
		return pr_err("queue %d: %zd bytes of type %ld, not %zu of %ld\n", id, n, msg.type, bytes, type);
	return 0;
}

/* 1, with a message, unless the queue is as it was but for its times. */
static inline int queue_changed(int id, const struct msqid_ds *before)
{
	const struct ipc_perm *a = &before->msg_perm, *b;
	struct msqid_ds now;

	if (msgctl(id, IPC_STAT, &now))
		return pr_perror("queue %d is gone", id);
	b = &now.msg_perm;
	if (a->__key != b->__key || a->mode != b->mode || a->uid != b->uid || a->gid != b->gid || a->cuid != b->cuid ||
	    a->cgid != b->cgid)
		return pr_err("queue %d: key %x mode %o %u:%u %u:%u\n", id, b->__key, b->mode, b->uid, b->gid, b->cuid,
			      b->cgid);
	if (before->msg_qbytes != now.msg_qbytes || before->msg_qnum != now.msg_qnum)
		return pr_err("queue %d: holds %lu bytes, %lu messages; was %lu, %lu\n", id, now.msg_qbytes,
			      now.msg_qnum, before->msg_qbytes, before->msg_qnum);
	return 0;
}

#endif
