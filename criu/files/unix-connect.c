/*
 * Unix sockets that come together by a name: listening ones, connections through them,
 * connections that wait there to be accepted, datagram sockets connected to a bound one.
 *
 * An accepted socket has the name of the listener, and both ends know who the other is: the
 * accepted one who connected, the connecting one who called listen(2). So
 * connections are made as they once were. If the listener is gone, another one
 * stands in for it, bound to the name where nobody sees it.
 *
 * Order: names; listen; connections, each accepted at once; then those that wait.
 */
#include <inttypes.h>
#include <string.h>

#include "files/unix-sk.h"

static bool same_name(const UnixSkEntry *a, const UnixSkEntry *b)
{
	return a->type == b->type && a->name.len && a->name.len == b->name.len &&
	       !memcmp(a->name.data, b->name.data, a->name.len);
}

static struct unix_node *find_listener(struct unix_restore *state, const UnixSkEntry *entry)
{
	for (size_t i = 0; i < state->n; i++)
		if (state->nodes[i].entry->state == UNIX_LISTEN && state->nodes[i].given_fd < 0 &&
		    same_name(state->nodes[i].entry, entry))
			return &state->nodes[i];
	return NULL;
}

/* Bound where nobody sees it; an abstract name is free again once the connections are made. */
static struct unix_node *add_stand_in(struct unix_restore *state, const struct model *model,
				      const struct unix_node *server)
{
	UnixSkEntry *entry = model_new(model, UnixSkEntry, unix_sk_entry__init);
	struct unix_node *node = &state->nodes[state->n++];

	entry->type = server->entry->type;
	entry->state = UNIX_LISTEN;
	entry->name = server->entry->name;
	entry->deleted = true;
	entry->backlog = 1;
	entry->peer_creds = server->peer ? server->peer->entry->peer_creds : server->entry->peer_creds;
	node->entry = entry;
	node->fd = node->spare_fd = node->given_fd = -1;
	node->stand_in = true;
	return node;
}

/* Nothing to make. */
static bool is_elsewhere(const struct unix_node *node)
{
	return node->outside || node->given_fd >= 0;
}

static bool is_connection(const struct unix_node *node)
{
	return node->entry->type != SOCK_DGRAM && node->entry->state == UNIX_ESTABLISHED && !is_elsewhere(node) &&
	       (!node->peer || node->peer->entry->state != UNIX_LISTEN);
}

void unix_find_servers(struct unix_restore *state, const struct model *model)
{
	const size_t n = state->n;

	for (size_t i = 0; i < n; i++)
		if (is_connection(&state->nodes[i]))
			state->nodes[i].listener = find_listener(state, state->nodes[i].entry);
	for (size_t i = 0; i < n; i++) {
		struct unix_node *node = &state->nodes[i], *peer = node->peer;

		if (!is_connection(node) || !node->entry->name.len || node->listener || (peer && peer->listener))
			continue;
		/* What is left of a connection, or of a pair that was given a name, needs no listener. */
		if (peer)
			node->listener = add_stand_in(state, model, node);
	}
	/* Both ends may have the name of a listener: the client was bound to one that is gone. */
	for (size_t i = 0; i < n; i++)
		if (state->nodes[i].listener && state->nodes[i].peer && state->nodes[i].peer->listener)
			state->nodes[i].peer->listener = NULL;
}

bool unix_is_paired(const struct unix_node *node)
{
	if (node->entry->state != UNIX_ESTABLISHED || is_elsewhere(node))
		return false;
	if (node->entry->type == SOCK_DGRAM)
		return node->peer ? node->peer->peer == node : !node->is_target;
	return is_connection(node) && !node->listener && !(node->peer && node->peer->listener);
}

/* --- what each child does -------------------------------------------------------- */

static int listen_all(void *arg)
{
	const struct unix_making *making = arg;

	for (size_t i = 0; i < making->state->n; i++) {
		struct unix_node *node = &making->state->nodes[i];

		if (node->entry->state != UNIX_LISTEN || node->done || is_elsewhere(node) ||
		    !unix_creds_equal(node->entry->peer_creds, making->creds))
			continue;
		if (listen(node->fd, node->entry->backlog))
			return fail_errno("listen");
		node->done = true;
	}
	return 0;
}

static int *client_fd(struct unix_node *server)
{
	return server->peer ? &server->peer->fd : &server->spare_fd;
}

static int connect_all(void *arg)
{
	const struct unix_making *making = arg;

	for (size_t i = 0; i < making->state->n; i++) {
		struct unix_node *node = &making->state->nodes[i];
		int err;

		if (!node->listener || node->fd >= 0 || !unix_creds_equal(node->entry->peer_creds, making->creds))
			continue;
		err = unix_name_connect(*client_fd(node), node->listener);
		if (err)
			return err;
		node->fd = accept4(node->listener->fd, NULL, NULL, SOCK_CLOEXEC);
		if (node->fd < 0)
			return fail_errno("cannot accept a connection");
	}
	return 0;
}

static int wait_one(void *arg)
{
	const struct unix_node *node = arg;

	return unix_name_connect(node->fd, node->peer);
}

/* --- the steps --------------------------------------------------------------------- */

/* Nobody waits for room at a listener: if there is none, the images are wrong. */
static int make_socket(int type, int *ret)
{
	*ret = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return *ret < 0 ? fail_errno("socket") : 0;
}

/* Sockets that are not connected, and those that are going to connect. */
static int make_named(struct unix_restore *state)
{
	int err = 0;

	for (size_t i = 0; i < state->n && !err; i++) {
		struct unix_node *node = &state->nodes[i];
		LOG_SCOPE("file", node->entry->id);

		if (node->listener && !node->peer) {
			err = make_socket(node->entry->type, &node->spare_fd);
			continue;
		}
		if (node->listener || is_elsewhere(node))
			continue;
		if (node->fd < 0)
			err = make_socket(node->entry->type, &node->fd);
		err = err ?: unix_name_bind(node);
	}
	return err;
}

static int listen_as(struct unix_restore *state)
{
	int err = 0;

	for (size_t i = 0; i < state->n && !err; i++) {
		const struct unix_node *node = &state->nodes[i];
		struct unix_making making = { .state = state, .creds = node->entry->peer_creds };

		if (node->entry->state == UNIX_LISTEN && !node->done && !is_elsewhere(node))
			err = unix_as(making.creds, listen_all, &making);
	}
	return err;
}

static int connect_as(struct unix_restore *state)
{
	int err = 0;

	for (size_t i = 0; i < state->n && !err; i++) {
		const struct unix_node *node = &state->nodes[i];
		struct unix_making making = { .state = state, .creds = node->entry->peer_creds };

		if (node->listener && node->fd < 0)
			err = unix_as(making.creds, connect_all, &making);
	}
	return err;
}

static int compare_waiting(const void *a, const void *b)
{
	const struct unix_node *node_a = *(struct unix_node *const *)a, *node_b = *(struct unix_node *const *)b;

	return (node_a->entry->waiting > node_b->entry->waiting) - (node_a->entry->waiting < node_b->entry->waiting);
}

static int connect_waiting(struct unix_restore *state)
{
	VEC(struct unix_node *) waiting = { 0 };
	int err = 0;

	for (size_t i = 0; i < state->n; i++)
		if (state->nodes[i].peer && state->nodes[i].peer->entry->state == UNIX_LISTEN)
			VEC_PUSH(&waiting, &state->nodes[i]);
	if (waiting.n)
		qsort(waiting.data, waiting.n, sizeof(*waiting.data), compare_waiting);
	for (size_t i = 0; i < waiting.n && !err; i++)
		err = unix_as(waiting.data[i]->entry->waiting_creds, wait_one, waiting.data[i]);
	VEC_FREE(&waiting);
	return err;
}

static int connect_dgrams(struct unix_restore *state)
{
	int err = 0;

	for (size_t i = 0; i < state->n && !err; i++) {
		const struct unix_node *node = &state->nodes[i];

		if (node->entry->type == SOCK_DGRAM && node->peer && !unix_is_paired(node))
			err = unix_name_connect(node->fd, node->peer);
	}
	return err;
}

static void close_stand_ins(struct unix_restore *state)
{
	for (size_t i = 0; i < state->n; i++)
		if (state->nodes[i].stand_in && state->nodes[i].fd >= 0)
			close(take_fd(&state->nodes[i].fd));
}

int unix_connect_all(struct unix_restore *state)
{
	int err = make_named(state);

	err = err ?: listen_as(state);
	err = err ?: connect_as(state);
	err = err ?: connect_waiting(state);
	err = err ?: connect_dgrams(state);
	close_stand_ins(state);
	return err;
}
