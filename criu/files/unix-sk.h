/* Between the files of unix sockets. */
#ifndef CRIU_FILES_UNIX_SK_H
#define CRIU_FILES_UNIX_SK_H

#include <linux/un.h>
#include <sys/socket.h>

#include "files/files-internal.h"
#include "kernel/sock-diag.h"

/* States, as sock_diag and the images have them. */
enum unix_state {
	UNIX_ESTABLISHED = 1,
	UNIX_CLOSE = 7,
	UNIX_LISTEN = 10,
};

/* unix_sk_entry.uflags: the socket is outside the images, or left to the user. */
#define UNIX_EXTERN 1

/* Bits of shutdown states, as the kernel and the images have them. */
enum unix_shutdown {
	UNIX_SHUT_RD = 1,
	UNIX_SHUT_WR = 2,
	UNIX_SHUT_BOTH = UNIX_SHUT_RD | UNIX_SHUT_WR,
};

/* --- dump ------------------------------------------------------------------ */

/* A unix socket of the tree. */
struct unix_seen {
	FileEntry *entry;
	pid_t pid;	 /* a task that has it, or can receive it */
	bool queue_read; /* its messages are in the model */
};

/* What is known of the unix sockets while a dump lasts. */
struct unix_dump {
	sock_diag_unix_list list; /* all of this network namespace */
	struct hash by_ino;	  /* inode -> struct sock_diag_unix * */
	struct hash tree;	  /* inode -> struct unix_seen *: those of the tree */
	struct hash outside;	  /* inode -> its UnixSkEntry *, to be connected to by name */
	bool warned;		  /* unix_outside_warn() */
};

/** unix_dump_state - created, and the kernel asked, on first use; NULL after a logged error. */
struct unix_dump *unix_dump_state(struct files_dump *ctx);

/** unix_queue_refuse - plan: refuse what is queued at @desc and can't be read without taking it out. */
void unix_queue_refuse(struct files_dump *ctx, const struct file_desc *desc);

/**
 * unix_queue_collect - plan: read the queue of @desc if descriptors are in it, to collect them, or if anybody can send to it
 * Of a tree that runs only what can be seen without changing the socket: the first message, or the first that has any.
 */
int must_check unix_queue_collect(struct files_dump *ctx, const struct file_desc *desc);

/** unix_senders_matter - are there datagrams at a socket that anybody may have sent them to? */
bool unix_senders_matter(const struct file_desc *desc);

/**
 * unix_senders_resolve - plan: refuse datagrams that nobody could send again, in the name they came in
 * @peer: what the socket is connected to, or NULL
 */
void unix_senders_resolve(struct files_dump *ctx, const struct file_desc *desc, const UnixSkEntry *peer);

/** unix_queue_dump - what is queued at @desc, into the model; the queue is left as it is. */
int must_check unix_queue_dump(struct files_dump *ctx, const struct file_desc *desc);

/** unix_outside_text - "socket:[7] '/run/x' of process 41 (xd)", for messages; in the model's arena. */
const char *unix_outside_text(struct files_dump *ctx, uint32_t ino);

/** unix_outside_resolve - the peer of @desc is not in the tree: what the options say, or refuse. */
void unix_outside_resolve(struct files_dump *ctx, const struct file_desc *desc);

/** unix_outside_warn - once, of datagram sockets outside that are connected to one of the tree. */
void unix_outside_warn(struct files_dump *ctx);

/** unix_name_text - " '/run/x'", " '@x'", with \\xNN for what can't be shown; "" if there is none. */
const char *unix_name_text(struct arena *arena, const void *name, size_t bytes);

/** unix_name_plan - what becomes of the path @desc is bound to. */
int must_check unix_name_plan(struct files_dump *ctx, const struct file_desc *desc);

/* --- looking (unix-peek.c) ------------------------------------------------------- */

/* Most descriptors one message can carry: SCM_MAX_FD of the kernel. */
#define UNIX_RIGHTS_MAX 253

/* The longest name: sun_path, and the NUL byte that the kernel adds to a path. */
#define UNIX_NAME_MAX 109

union unix_control {
	char bytes[CMSG_SPACE(3 * sizeof(int)) + CMSG_SPACE(UNIX_RIGHTS_MAX * sizeof(int)) + CMSG_SPACE(256 + 64)];
	struct cmsghdr align;
};

/* What one look shows. */
struct peeked {
	ssize_t bytes;
	bool has_creds;
	struct ucred creds;
	size_t sender_bytes; /* 0: it has no name */
	char sender[UNIX_NAME_MAX];
	size_t n_rights;
	int rights[UNIX_RIGHTS_MAX]; /* owned */
};

/**
 * peek - look at what @fd would receive next
 * @flags: MSG_TRUNC to learn the length of a record
 * Return: 0; 1: there is nothing more; logged -errno. To be freed only with 0.
 */
int must_check peek(int fd, void *buf, size_t bytes, int flags, struct peeked *ret);
void peeked_free(struct peeked *peeked);

/* --- SO_PEEK_OFF (unix-peek.c) --------------------------------------------------- */

/* There may be one at a time: a second would have a copy of what tells the first that we died. */

struct peek_guard;

/**
 * peek_begin - from now on each MSG_PEEK on @fd shows what is behind the last one, from the start of the queue
 * @guard: made on first use; puts the option back if we die
 * @value: what the option is now
 */
int must_check peek_begin(struct peek_guard **guard, int fd, int value);
/** peek_at - between the two: the next MSG_PEEK shows what is @offset bytes from the start. */
int must_check peek_at(int fd, int offset);
/** peek_end - the option is @value again. */
int must_check peek_end(struct peek_guard *guard, int fd, int value);
/** peek_guard_outdate - a socket is there that it has no copy of: the next peek_begin() makes another; NULL is fine. */
void peek_guard_outdate(struct peek_guard *guard);
void peek_guard_stop(struct peek_guard *guard);

/* --- restore ---------------------------------------------------------------- */

/* A unix socket while it is restored; in memory that children of ours write to. */
struct unix_node {
	const UnixSkEntry *entry;
	struct unix_node *peer;	    /* or NULL */
	struct unix_node *listener; /* through which it was accepted, or NULL */
	int fd;			    /* -1: not made yet; owned unless taken */
	int spare_fd;		    /* the other end, if nobody has that; owned */
	bool taken;		    /* it became a description */
	bool named;		    /* its path was made and leads to it */
	bool is_target;		    /* somebody is connected to it */
	bool done;		    /* it listens */
	bool stand_in;		    /* for a listener that is gone: no description */
	bool outside;		    /* not of the images: others connect to its name */
	int given_fd;		    /* with --inherit-fd; borrowed; -1: none */
};

struct unix_restore {
	struct unix_node *nodes;
	size_t n, room;
	struct hash by_id; /* file id -> struct unix_node * */
	bool settled;
};

/* How a message gets to where it was. */
struct unix_route {
	int fd;	  /* to send with; borrowed */
	bool own; /* no: it is owned */
	struct sockaddr_un to;
	socklen_t to_bytes; /* 0: @fd is connected to it */
	int to_file;	    /* what @to leads through, or -1; owned */
};

/**
 * unix_senders_route - how @packet gets to the socket @node
 * Return: 0 or logged -errno. To be given to unix_route_free().
 */
int must_check unix_senders_route(const struct unix_restore *state, const SkPacketEntry *packet,
				  const struct unix_node *node, struct unix_route *ret);
void unix_route_free(struct unix_route *route);

/** unix_fill_queues - put everything back that was queued, when every task exists. */
int must_check unix_fill_queues(struct files_restore *ctx);

/** unix_queues_validate - check untrusted queues against the sockets they belong to. */
int must_check unix_queues_validate(const struct model *model);

/**
 * unix_as - run @step in a child that shares our descriptors and is who @creds says
 * @creds: NULL: in this process
 *
 * What the kernel remembers of the one who connects two sockets is that child, with its
 * process id if no one else has that. To be called before any puppet exists.
 */
int must_check unix_as(const UnixCredsEntry *creds, int (*step)(void *arg), void *arg);

/** unix_in_child - run @step in a child that shares our descriptors, so that it may change its directory and root. */
int must_check unix_in_child(int (*step)(void *arg), void *arg);

/* What one such child does: everything of its creds. */
struct unix_making {
	struct unix_restore *state;
	const UnixCredsEntry *creds;
};

/** unix_name_bind - give @node, which has its descriptor, its name, if any. */
int must_check unix_name_bind(struct unix_node *node);

/**
 * unix_name_address - where the bound socket @to is reached
 * @ret_file: what a path in @ret leads through, or -1; owned by the caller, to be kept open until @ret has been used
 */
int must_check unix_name_address(const struct unix_node *to, struct sockaddr_un *ret, socklen_t *ret_bytes,
				 int *ret_file);

/** unix_name_connect - connect @fd to the bound socket @to. */
int must_check unix_name_connect(int fd, const struct unix_node *to);

/** unix_name_undo - the restore has failed: take the path away again. */
void unix_name_undo(struct unix_node *node);

/** unix_is_outside - an entry that stands for a name outside the images, for others to connect to. */
bool unix_is_outside(const UnixSkEntry *entry);

/** unix_find_servers - which connections are made through which listener. */
void unix_find_servers(struct unix_restore *state, const struct model *model);

/** unix_is_paired - is it made by socketpair(2)? */
bool unix_is_paired(const struct unix_node *node);

/** unix_connect_all - everything that is not: names, listening sockets, connections. */
int must_check unix_connect_all(struct unix_restore *state);

/** unix_creds_equal - both may be NULL. */
bool unix_creds_equal(const UnixCredsEntry *a, const UnixCredsEntry *b);

#endif
