/* Internet sockets. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "image/image-check-files.h"
#include "util/log.h"

static int check_kind(const InetSkEntry *entry)
{
	if (entry->family != AF_INET && entry->family != AF_INET6)
		return fail(EINVAL, "files.img: internet socket %u: family %u", entry->id, entry->family);
	if ((entry->type != SOCK_RAW || entry->proto > IPPROTO_RAW) &&
	    (entry->proto != IPPROTO_TCP || entry->type != SOCK_STREAM) &&
	    (entry->proto != IPPROTO_UDP || entry->type != SOCK_DGRAM))
		return fail(ENOTSUP,
			    "files.img: internet socket %u: type %u with protocol %u: not supported by this version",
			    entry->id, entry->type, entry->proto);
	return 0;
}

static int check_addresses(const InetSkEntry *entry)
{
	const size_t n_words = entry->family == AF_INET ? 1 : 4;

	if (entry->n_src_addr != n_words || entry->n_dst_addr != n_words)
		return fail(EINVAL, "files.img: internet socket %u: addresses of %zu and %zu words", entry->id,
			    entry->n_src_addr, entry->n_dst_addr);
	if (entry->src_port > UINT16_MAX || entry->dst_port > UINT16_MAX)
		return fail(EINVAL, "files.img: internet socket %u: ports %u and %u", entry->id, entry->src_port,
			    entry->dst_port);
	return 0;
}

int image_check_inet(const FileEntry *file)
{
	const InetSkEntry *entry = file->isk;
	int err = image_check_part(file, isk);

	err = err ?: check_kind(entry);
	err = err ?: check_addresses(entry);
	if (!err && entry->backlog > INT32_MAX)
		err = fail(EINVAL, "files.img: internet socket %u: backlog %u", entry->id, entry->backlog);
	return err;
}
