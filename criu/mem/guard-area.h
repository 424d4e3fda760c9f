/* What the guard and the process it guards share (guard.c, guard-watch.c, guard-net.c, guard-hold.c). Nothing else includes it. */
#ifndef CRIU_MEM_GUARD_AREA_H
#define CRIU_MEM_GUARD_AREA_H

#include <linux/limits.h>
#include <stdatomic.h>
#include <time.h>

#include "mem/guard-hold.h"
#include "mem/guard-net.h"
#include "mem/guard.h"

#define GUARD_NAMES	2048
#define GUARD_PIDFDS	65536
#define GUARD_TAKINGS	8192
#define FDS_PER_MESSAGE 200 /* below SCM_MAX_FD (253) */

enum slot_state {
	SLOT_FREE,
	SLOT_RANDOM, /* the name alone proves that the file is ours */
	SLOT_INODE,  /* remove it only while it is this inode */
	SLOT_SEGMENT,
	SLOT_SET,
	SLOT_QUEUE,
	SLOT_NFT_TABLE, /* its name stands in path */
	SLOT_MQUEUE,	/* likewise, without the slash; ino 0: it was not told yet */
};

struct guard_slot {
	atomic_int state;
	int flags;
	dev_t dev;
	ino_t ino;
	atomic_int id; /* of a System V object; -1: it may not have been made yet, or its id not been told */
	time_t since;  /* objects of before are none of ours, even if their maker had our pid */
	char path[PATH_MAX];
};

struct guard_area {
	int (*commit)(int dir_fd);
	pid_t owner;
	atomic_int n_slots; /* slots ever used */
	struct guard_slot slots[GUARD_NAMES];
	int pidfds[GUARD_PIDFDS]; /* the guard's own numbers */
	struct guard_net net;

	/* What is taken at the commit; its descriptors become the guard's numbers. */
	struct guard_takings takings;
	int taking_fds[GUARD_TAKINGS];
	int take_error;
	char take_text[1024]; /* what the log would say of it */
	char notes[GUARD_NOTES_BYTES];
};

enum message {
	MSG_DIR = 'd',
	MSG_PIDFDS = 'p',
	MSG_TAKINGS = 't',
	MSG_GIVE_BACK = 'g',
	MSG_COMMIT = 'c',
	MSG_CANCEL = 'x',
	MSG_STOP = 's',
	MSG_SOCKETS = 'n',
	MSG_FORGET = 'f',
	MSG_HOLD = 'h',
};

struct guard {
	pid_t pid;
	int socket; /* owned */
	struct guard_area *area;
};

/** guard_new_slot - a free slot, for @what; its number, or logged -errno. */
int must_check guard_new_slot(struct guard *guard, const char *what, struct guard_slot **ret);

/** guard_tell - send a message, with descriptors, in parts if need be, and wait for the answers. */
int must_check guard_tell(struct guard *guard, char kind, const int *fds, size_t n);

/** guard_watch - the life of the guard; in a forked child, does not return. */
void guard_watch(struct guard_area *area, int socket, int owner_pidfd);

#endif
