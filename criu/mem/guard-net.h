/*
 * What the guard does for TCP connections: it holds a duplicate of each socket and, when we die, leaves
 * it in a state its holders can live with. guard-watch.c calls these in the guard's process; only async-signal-safe calls.
 *
 * Reading a connection takes repair mode (TCP_REPAIR), in which its owner's calls fail. So while
 * sockets of tasks that may run are in it the guard holds on to our death (guard-hold.h).
 */
#ifndef CRIU_MEM_GUARD_NET_H
#define CRIU_MEM_GUARD_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/macros.h"

#define GUARD_SOCKETS 32768

/* In the memory that we share with the guard. */
struct guard_net {
	size_t n;
	bool restoring;		       /* the sockets are of no living task unless the commit was cancelled */
	bool had_reuse[GUARD_SOCKETS]; /* SO_REUSEADDR, which the end of repair mode clears */
	int fds[GUARD_SOCKETS];	       /* the guard's own numbers */
};

/** guard_net_take - in the guard: these arrived. */
void guard_net_take(struct guard_net *net, const int *fds, size_t n);

/** guard_net_forget - in the guard: close them all. */
void guard_net_forget(struct guard_net *net);

/** guard_net_repair - in the guard: all sockets enter repair mode, so that their end is silent; or leave it. */
void guard_net_repair(const struct guard_net *net, bool on);

/** tcp_repair_on, tcp_repair_off - -errno, not logged. Async-signal-safe. */
int must_check tcp_repair_on(int fd);

/**
 * tcp_repair_off - the connection is an ordinary one again
 * @reuse: what SO_REUSEADDR is to be
 * @probe: send a window probe, so that the other end answers at once
 */
int must_check tcp_repair_off(int fd, bool reuse, bool probe);

#endif
