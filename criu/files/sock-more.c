/*
 * Options at level SOL_SOCKET that mainline's message has no field for, of every kind of socket: kept as they are, name
 * and value, if they differ from those of a new socket. Mainline does not read these.
 *
 * Not preserved: SO_INCOMING_CPU but of TCP sockets that have no connection (the kernel itself changes it with
 * every packet); programs that SO_ATTACH_REUSEPORT_CBPF or _EBPF attach, which nothing shows.
 * Refused: messages that wait with the time of their arrival, which they would lose; numbers of packets that SO_TIMESTAMPING counts.
 */
#include <inttypes.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "files/files-internal.h"
#include "files/sock-opts.h"

#define VALUE_MAX    16
#define PEEK_OFF     42
#define STAMPING     37
#define STAMPING_NEW 65

#define TIMESTAMPING_COUNTS (1 << 7 /* SOF_TIMESTAMPING_OPT_ID */ | 1 << 15 /* SOF_TIMESTAMPING_BIND_PHC */)

/* Some are newer than the C library's headers. In the order in which they are set again. */
static const struct more_option {
	int name;
	const char *text;
	bool is_timestamp;
} more[] = {
	{ 1, "SO_DEBUG", false },
	{ 40, "SO_RXQ_OVFL", false },
	{ 41, "SO_WIFI_STATUS", false },
	{ PEEK_OFF, "SO_PEEK_OFF", false },
	{ 43, "SO_NOFCS", false },
	{ 45, "SO_SELECT_ERR_QUEUE", false },
	{ 46, "SO_BUSY_POLL", false },
	{ 47, "SO_MAX_PACING_RATE", false },
	{ 60, "SO_ZEROCOPY", false },
	{ 61, "SO_TXTIME", false },
	{ 69, "SO_PREFER_BUSY_POLL", false },
	{ 70, "SO_BUSY_POLL_BUDGET", false },
	{ 73, "SO_RESERVE_MEM", false },
	{ 74, "SO_TXREHASH", false },
	{ 75, "SO_RCVMARK", false },
	{ 82, "SO_RCVPRIORITY", false },
	{ 84, "SO_INQ", false },
	/* One flag tells old and new ones apart: the last that is set decides. */
	{ STAMPING, "SO_TIMESTAMPING", true },
	{ 29, "SO_TIMESTAMP", true },
	{ 35, "SO_TIMESTAMPNS", true },
	{ STAMPING_NEW, "SO_TIMESTAMPING_NEW", true },
	{ 63, "SO_TIMESTAMP_NEW", true },
	{ 64, "SO_TIMESTAMPNS_NEW", true },
	/* No filter can be attached after this. */
	{ 44, "SO_LOCK_FILTER", false },
};

struct more_value {
	socklen_t n;
	char bytes[VALUE_MAX];
};

/* False: this kernel, or this kind of socket, has no such option. */
static bool get(int fd, int name, struct more_value *ret)
{
	memset(ret->bytes, 0, sizeof(ret->bytes));
	ret->n = sizeof(ret->bytes);
	return !getsockopt(fd, SOL_SOCKET, name, ret->bytes, &ret->n);
}

/* --- dump ------------------------------------------------------------------ */

int sock_fresh(struct files_dump *ctx, int fd)
{
	struct files_dump_state *state = files_dump_state(ctx);
	const int domain = sock_option(fd, SO_DOMAIN), type = sock_option(fd, SO_TYPE);
	/* That of a packet socket makes it receive at once. */
	const int protocol = domain == AF_PACKET ? 0 : sock_option(fd, SO_PROTOCOL);
	const uint64_t kind = (uint64_t)type << 32 | (uint32_t)protocol;
	void *known = hash_get(&state->fresh, domain, kind);
	int fresh;

	if (known)
		return (intptr_t)known - 1;
	fresh = socket(domain, type | SOCK_CLOEXEC, protocol);
	if (fresh < 0)
		return fail_errno("cannot make a socket of family %d, type %d, protocol %d", domain, type, protocol);
	VEC_PUSH(&state->all_fresh, fresh);
	hash_put(&state->fresh, domain, kind, (void *)(intptr_t)(fresh + 1));
	return fresh;
}

void sock_fresh_free(struct files_dump_state *state)
{
	for (size_t i = 0; i < state->all_fresh.n; i++)
		close(state->all_fresh.data[i]);
	VEC_FREE(&state->all_fresh);
	hash_free(&state->fresh);
}

static void refuse_timestamps(struct files_dump *ctx, const struct file_desc *desc, const struct more_option *option,
			      const struct more_value *value)
{
	int flags, queued = 0;

	memcpy(&flags, value->bytes, sizeof(flags));
	if ((option->name == STAMPING || option->name == STAMPING_NEW) && (flags & TIMESTAMPING_COUNTS))
		refuse(ctx->refusals,
		       "%s: option %s is %#x, with a count of packets (SOF_TIMESTAMPING_OPT_ID) or a clock of a device "
		       "(SOF_TIMESTAMPING_BIND_PHC): not supported; set it to 0 before the dump",
		       desc->link, option->text, flags);
	else if (!ioctl(desc->fd, SIOCINQ, &queued) && queued && sock_option(desc->fd, SO_DOMAIN) == AF_UNIX)
		refuse_passing(ctx->refusals,
			       "%s: option %s is on and %d bytes wait there to be received, which would lose the time "
			       "of their arrival: have them received before the dump, or set the option to 0",
			       desc->link, option->text, queued);
}

/* Where the queue is lost, what is left of it is that it is on. Of unix sockets it comes with their queues (unix-peek.c). */
static void clear_peek_off(struct more_value *value)
{
	int offset;

	memcpy(&offset, value->bytes, sizeof(offset));
	if (offset > 0)
		memset(value->bytes, 0, sizeof(offset));
}

int sock_more_dump(struct files_dump *ctx, const struct file_desc *desc, SkOptsEntry *opts)
{
	const int fresh = sock_fresh(ctx, desc->fd), domain = sock_option(desc->fd, SO_DOMAIN);

	if (fresh < 0)
		return fresh;
	opts->options = arena_array(ctx->model->arena, SkOptionEntry *, ARRAY_SIZE(more));
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		struct more_value value, initial;
		SkOptionEntry *option;

		if (!get(desc->fd, more[i].name, &value) || !get(fresh, more[i].name, &initial) ||
		    (value.n == initial.n && !memcmp(value.bytes, initial.bytes, sizeof(value.bytes))))
			continue;
		if (more[i].name == PEEK_OFF && domain == AF_UNIX)
			continue;
		if (more[i].name == PEEK_OFF && sock_option(desc->fd, SO_PROTOCOL) != IPPROTO_UDP)
			clear_peek_off(&value);
		if (more[i].is_timestamp)
			refuse_timestamps(ctx, desc, &more[i], &value);
		option = model_new(ctx->model, SkOptionEntry, sk_option_entry__init);
		option->name = more[i].name;
		option->value.data = arena_memdup(ctx->model->arena, value.bytes, value.n);
		option->value.len = value.n;
		opts->options[opts->n_options++] = option;
	}
	return 0;
}

/* --- restore ---------------------------------------------------------------- */

static const struct more_option *find(uint32_t name)
{
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		if ((uint32_t)more[i].name == name)
			return &more[i];
	return NULL;
}

int sock_more_validate(const SkOptsEntry *opts)
{
	for (size_t i = 0; i < opts->n_options; i++) {
		const SkOptionEntry *option = opts->options[i];

		if (!find(option->name) || option->value.len > VALUE_MAX)
			return fail(EINVAL, "socket option %" PRIu32 " with a value of %zu bytes", option->name,
				    option->value.len);
	}
	return 0;
}

int sock_more_restore(const SkOptsEntry *opts, int fd)
{
	for (size_t i = 0; i < opts->n_options; i++) {
		const SkOptionEntry *option = opts->options[i];

		if (setsockopt(fd, SOL_SOCKET, option->name, option->value.data, option->value.len))
			return fail_errno("cannot set option %s of a socket", find(option->name)->text);
	}
	return 0;
}
