/*
 * The table has an option's name here, its place in the message, and how it is set.
 * Buffer sizes are shown doubled. Setting one also locks it against
 * automatic tuning, which SO_BUF_LOCK puts right afterwards.
 */
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "files/files-internal.h"
#include "files/sock-opts.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

enum value_kind { VALUE_U32, VALUE_BOOL };

struct option_place {
	const char *text;
	int name;
	enum value_kind kind;
	uint32_t initial; /* what a new socket has: not recorded */
	size_t has, value;
};

#define PLACE(so, value_kind, initial, field)                                                                          \
	{                                                                                                              \
#so, so, value_kind, initial, offsetof(SkOptsEntry, has_##field), offsetof(SkOptsEntry, field)         \
	}

static const struct option_place places[] = {
	PLACE(SO_REUSEADDR, VALUE_BOOL, 0, reuseaddr),	  PLACE(SO_PRIORITY, VALUE_U32, 0, so_priority),
	PLACE(SO_RCVLOWAT, VALUE_U32, 1, so_rcvlowat),	  PLACE(SO_MARK, VALUE_U32, 0, so_mark),
	PLACE(SO_PASSCRED, VALUE_BOOL, 0, so_passcred),	  PLACE(SO_PASSSEC, VALUE_BOOL, 0, so_passsec),
	PLACE(SO_DONTROUTE, VALUE_BOOL, 0, so_dontroute), PLACE(SO_NO_CHECK, VALUE_BOOL, 0, so_no_check),
	PLACE(SO_REUSEPORT, VALUE_BOOL, 0, so_reuseport), PLACE(SO_BROADCAST, VALUE_BOOL, 0, so_broadcast),
	PLACE(SO_KEEPALIVE, VALUE_BOOL, 0, so_keepalive), PLACE(SO_OOBINLINE, VALUE_U32, 0, so_oobinline),
};

/* Options that no image has, with the value they must have. */
static const struct {
	const char *text;
	int name, value;
} unsaved[] = {
	{ "SO_PASSPIDFD", SO_PASSPIDFD, 0 },
	{ "SO_PASSRIGHTS", SO_PASSRIGHTS, 1 },
};

int sock_option(int fd, int name)
{
	int value;
	socklen_t bytes = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &bytes) ? -1 : value;
}

/* Who may not ask has no socket of another namespace, as far as can be told. */
int sock_refuse_netns(struct files_dump *ctx, const struct file_desc *desc)
{
	auto_fd int fd = ioctl(desc->fd, SIOCGSKNS);
	struct stat st, own;

	if (fd < 0 && errno != EPERM && errno != ENOTTY)
		return fail_errno("%s: SIOCGSKNS", desc->link);
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) || stat("/proc/self/ns/net", &own))
		return fail_errno("network namespace: stat");
	if (st.st_dev != own.st_dev || st.st_ino != own.st_ino)
		refuse(ctx->refusals, "%s: socket of another network namespace than criu's: run criu inside",
		       desc->link);
	return 0;
}

/* --- dump ------------------------------------------------------------------ */

/* Not every kind of socket has every option. */
static void dump_place(const struct option_place *place, int fd, SkOptsEntry *opts)
{
	int value;
	socklen_t bytes = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, place->name, &value, &bytes) || (uint32_t)value == place->initial)
		return;
	*(protobuf_c_boolean *)((char *)opts + place->has) = true;
	if (place->kind == VALUE_BOOL)
		*(protobuf_c_boolean *)((char *)opts + place->value) = value != 0;
	else
		*(uint32_t *)((char *)opts + place->value) = value;
}

static int dump_timeout(int fd, int name, uint64_t *ret_sec, uint64_t *ret_usec)
{
	struct timeval time;
	socklen_t bytes = sizeof(time);

	if (getsockopt(fd, SOL_SOCKET, name, &time, &bytes))
		return fail_errno("socket: cannot read a time limit");
	*ret_sec = time.tv_sec;
	*ret_usec = time.tv_usec;
	return 0;
}

static int dump_buffers(int fd, SkOptsEntry *opts)
{
	int lock = sock_option(fd, SO_BUF_LOCK);
	int sndbuf = sock_option(fd, SO_SNDBUF), rcvbuf = sock_option(fd, SO_RCVBUF);

	if (sndbuf < 0 || rcvbuf < 0)
		return fail_errno("socket: cannot read the sizes of its buffers");
	opts->so_sndbuf = sndbuf;
	opts->so_rcvbuf = rcvbuf;
	if (lock >= 0) {
		opts->has_so_buf_lock = true;
		opts->so_buf_lock = lock;
	}
	return 0;
}

static void dump_linger(int fd, SkOptsEntry *opts)
{
	struct linger linger;
	socklen_t bytes = sizeof(linger);

	if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &bytes) || !linger.l_onoff)
		return;
	opts->has_so_linger = true;
	opts->so_linger = linger.l_linger;
}

static int dump_bound_dev(struct files_dump *ctx, int fd, SkOptsEntry *opts)
{
	char name[IFNAMSIZ] = "";
	socklen_t bytes = sizeof(name);

	if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &bytes))
		return fail_errno("socket: SO_BINDTODEVICE");
	if (bytes && name[0])
		opts->so_bound_dev = arena_printf(ctx->model->arena, "%.*s", (int)bytes, name);
	return 0;
}

/* Instructions come as 64-bit words; EACCES: it is a program of the newer kind. */
static int dump_filter(struct files_dump *ctx, const struct file_desc *desc, SkOptsEntry *opts)
{
	socklen_t n = 0;

	if (getsockopt(desc->fd, SOL_SOCKET, SO_GET_FILTER, NULL, &n)) {
		refuse(ctx->refusals, "%s: an eBPF program filters what it receives: not supported; detach it",
		       desc->link);
		return 0;
	}
	if (!n)
		return 0;
	opts->so_filter = arena_array(ctx->model->arena, uint64_t, n);
	if (getsockopt(desc->fd, SOL_SOCKET, SO_GET_FILTER, opts->so_filter, &n))
		return fail_errno("%s: SO_GET_FILTER", desc->link);
	opts->n_so_filter = n;
	return 0;
}

static void refuse_unsaved(struct files_dump *ctx, const struct file_desc *desc)
{
	for (size_t i = 0; i < ARRAY_SIZE(unsaved); i++) {
		int value = sock_option(desc->fd, unsaved[i].name);

		if (value >= 0 && value != unsaved[i].value)
			refuse(ctx->refusals, "%s: option %s is %d: not supported; set it to %d before the dump",
			       desc->link, unsaved[i].text, value, unsaved[i].value);
	}
}

int sock_opts_dump(struct files_dump *ctx, const struct file_desc *desc, SkOptsEntry **ret)
{
	SkOptsEntry *opts = model_new(ctx->model, SkOptsEntry, sk_opts_entry__init);
	int err = dump_buffers(desc->fd, opts);

	*ret = opts;
	err = err ?: dump_timeout(desc->fd, SO_SNDTIMEO, &opts->so_snd_tmo_sec, &opts->so_snd_tmo_usec);
	err = err ?: dump_timeout(desc->fd, SO_RCVTIMEO, &opts->so_rcv_tmo_sec, &opts->so_rcv_tmo_usec);
	err = err ?: dump_bound_dev(ctx, desc->fd, opts);
	err = err ?: dump_filter(ctx, desc, opts);
	if (err)
		return err;
	dump_linger(desc->fd, opts);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		dump_place(&places[i], desc->fd, opts);
	refuse_unsaved(ctx, desc);
	return sock_more_dump(ctx, desc, opts);
}

/* --- restore ---------------------------------------------------------------- */

int sock_opts_validate(const SkOptsEntry *opts)
{
	if (opts->so_sndbuf > INT_MAX || opts->so_rcvbuf > INT_MAX)
		return fail(EINVAL, "socket buffers of %" PRIu32 " and %" PRIu32 " bytes", opts->so_sndbuf,
			    opts->so_rcvbuf);
	if (opts->so_snd_tmo_sec > INT64_MAX || opts->so_rcv_tmo_sec > INT64_MAX || opts->so_snd_tmo_usec >= 1000000 ||
	    opts->so_rcv_tmo_usec >= 1000000)
		return fail(EINVAL, "time limit of a socket");
	if (opts->n_so_filter > BPF_MAXINSNS)
		return fail(EINVAL, "socket filter of %zu instructions", opts->n_so_filter);
	if (opts->so_bound_dev && strlen(opts->so_bound_dev) >= IFNAMSIZ)
		return fail(EINVAL, "network device '%.32s'", opts->so_bound_dev);
	return sock_more_validate(opts);
}

static int set(int fd, const char *text, int name, int value)
{
	if (setsockopt(fd, SOL_SOCKET, name, &value, sizeof(value)))
		return fail_errno("cannot set option %s of a socket to %d", text, value);
	return 0;
}

static int restore_place(const struct option_place *place, const SkOptsEntry *opts, int fd)
{
	const char *at = (const char *)opts + place->value;
	uint32_t value = place->kind == VALUE_BOOL ? *(const protobuf_c_boolean *)at != 0 : *(const uint32_t *)at;

	if (!*(const protobuf_c_boolean *)((const char *)opts + place->has) ||
	    value == (uint32_t)sock_option(fd, place->name))
		return 0;
	return set(fd, place->text, place->name, value);
}

static int restore_buffer(int fd, const char *text, int name, int force, uint32_t doubled)
{
	if ((uint32_t)sock_option(fd, name) == doubled)
		return 0;
	return set(fd, text, force, doubled / 2);
}

static int restore_buffers(const SkOptsEntry *opts, int fd)
{
	int ret = restore_buffer(fd, "SO_SNDBUF", SO_SNDBUF, SO_SNDBUFFORCE, opts->so_sndbuf);

	ret = ret ?: restore_buffer(fd, "SO_RCVBUF", SO_RCVBUF, SO_RCVBUFFORCE, opts->so_rcvbuf);
	if (ret || !opts->has_so_buf_lock)
		return ret;
	return set(fd, "SO_BUF_LOCK", SO_BUF_LOCK, opts->so_buf_lock);
}

static int restore_timeout(int fd, int name, uint64_t sec, uint64_t usec)
{
	const struct timeval time = { .tv_sec = sec, .tv_usec = usec };

	if ((sec || usec) && setsockopt(fd, SOL_SOCKET, name, &time, sizeof(time)))
		return fail_errno("cannot set a socket's time limit to %" PRIu64 " s", sec);
	return 0;
}

static int restore_filter(const SkOptsEntry *opts, int fd)
{
	const struct sock_fprog program = { .len = opts->n_so_filter, .filter = (void *)opts->so_filter };

	if (opts->n_so_filter && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		return fail_errno("cannot attach a filter of %zu instructions to a socket", opts->n_so_filter);
	return 0;
}

int sock_opts_restore(const SkOptsEntry *opts, int fd)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = opts->so_linger };
	int ret = restore_buffers(opts, fd);

	ret = ret ?: restore_timeout(fd, SO_SNDTIMEO, opts->so_snd_tmo_sec, opts->so_snd_tmo_usec);
	ret = ret ?: restore_timeout(fd, SO_RCVTIMEO, opts->so_rcv_tmo_sec, opts->so_rcv_tmo_usec);
	ret = ret ?: restore_filter(opts, fd);
	for (size_t i = 0; i < ARRAY_SIZE(places) && !ret; i++)
		ret = restore_place(&places[i], opts, fd);
	if (ret)
		return ret;
	if (opts->has_so_linger && setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		return fail_errno("cannot set option SO_LINGER of a socket");
	if (opts->so_bound_dev &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, opts->so_bound_dev, strlen(opts->so_bound_dev)))
		return fail_errno("cannot bind a socket to device %s", opts->so_bound_dev);
	return sock_more_restore(opts, fd);
}
