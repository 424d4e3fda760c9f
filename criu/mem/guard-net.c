#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mem/guard-area.h"
#include "util/log.h"

#ifndef TCP_REPAIR_ON
#define TCP_REPAIR_ON	     1
#define TCP_REPAIR_OFF	     0
#define TCP_REPAIR_OFF_NO_WP -1
#endif

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

int tcp_repair_on(int fd)
{
	return set(fd, SOL_TCP, TCP_REPAIR, TCP_REPAIR_ON);
}

int tcp_repair_off(int fd, bool reuse, bool probe)
{
	int err = set(fd, SOL_TCP, TCP_REPAIR, probe ? TCP_REPAIR_OFF : TCP_REPAIR_OFF_NO_WP);

	return err ?: set(fd, SOL_SOCKET, SO_REUSEADDR, reuse);
}

/* --- the guard's side: only async-signal-safe calls ------------------------- */

void guard_net_take(struct guard_net *net, const int *fds, size_t n)
{
	for (size_t i = 0; i < n && net->n < GUARD_SOCKETS; i++)
		net->fds[net->n++] = fds[i];
}

void guard_net_forget(struct guard_net *net)
{
	for (size_t i = 0; i < net->n; i++)
		close(net->fds[i]);
	net->n = 0;
}

void guard_net_repair(const struct guard_net *net, bool on)
{
	for (size_t i = 0; i < net->n; i++) {
		int err = on ? tcp_repair_on(net->fds[i])
			     : tcp_repair_off(net->fds[i], net->had_reuse[i], net->restoring);

		/* There is nobody left to be told. */
		(void)err;
	}
}

/* --- our side ---------------------------------------------------------------- */

int guard_table_add(struct guard *guard, const char *name, int flags)
{
	struct guard_slot *slot;
	int number = guard ? guard_new_slot(guard, name, &slot) : 0;

	if (!guard || number < 0)
		return number;
	snprintf(slot->path, sizeof(slot->path), "%s", name);
	slot->flags = flags;
	atomic_store(&slot->state, SLOT_NFT_TABLE);
	return number;
}

int guard_sockets(struct guard *guard, const int *fds, const bool *reuse, size_t n, bool restoring)
{
	if (!guard)
		return 0;
	if (n > GUARD_SOCKETS)
		return fail(E2BIG, "guard: %zu TCP connections, at most %d can be handled at once", n, GUARD_SOCKETS);
	guard->area->net.restoring = restoring;
	memcpy(guard->area->net.had_reuse, reuse, n * sizeof(*reuse));
	return guard_tell(guard, MSG_SOCKETS, fds, n);
}

int guard_sockets_forget(struct guard *guard)
{
	return guard ? guard_tell(guard, MSG_FORGET, NULL, 0) : 0;
}
