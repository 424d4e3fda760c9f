/* Unix sockets, and the messages queued in them. */
#include <limits.h>
#include <sys/socket.h>

#include "image/image-check-files.h"
#include "util/log.h"

/* unix_sk_entry: states of the kernel, uflags, and the longest sun_path, which the kernel may end with a NUL byte more. */
#define UNIX_STATE_ESTABLISHED 1
#define UNIX_STATE_CLOSE       7
#define UNIX_STATE_LISTEN      10
#define UNIX_UFLAG_EXTERN      1
#define UNIX_NAME_MAX_BYTES    109

int image_collect_unix(const struct model *model, struct image_objects *objects)
{
	for (size_t i = 0; i < model->files.n; i++) {
		const FileEntry *file = model->files.data[i];
		int err;

		if (file->type != FD_TYPES__UNIXSK)
			continue;
		err = image_check_part(file, usk);
		if (err)
			return err;
		if (!file->usk->ino || hash_put(&objects->sockets, file->usk->ino, 0, file->usk))
			return fail(EINVAL, "files.img: unix socket %u: inode %u is there twice, or 0", file->id,
				    file->usk->ino);
	}
	return 0;
}

static int check_unix_peer(const struct image_objects *objects, const UnixSkEntry *entry)
{
	const UnixSkEntry *peer = hash_get(&objects->sockets, entry->peer, 0);

	if (!entry->peer || (entry->uflags & UNIX_UFLAG_EXTERN))
		return 0;
	if (!peer || peer == entry || peer->type != entry->type || entry->state != UNIX_STATE_ESTABLISHED)
		return fail(EINVAL, "files.img: unix socket %u: no such peer as %u", entry->id, entry->peer);
	/* The other end of a connection knows this one. */
	if (entry->type != SOCK_DGRAM && peer->state != UNIX_STATE_LISTEN && peer->peer != entry->ino)
		return fail(EINVAL, "files.img: unix socket %u: its peer %u has another one", entry->id, entry->peer);
	return 0;
}

int image_check_unix(const struct image_objects *objects, const FileEntry *file)
{
	const UnixSkEntry *entry = file->usk;

	if (entry->type != SOCK_STREAM && entry->type != SOCK_DGRAM && entry->type != SOCK_SEQPACKET)
		return fail(EINVAL, "files.img: unix socket %u: type %u", entry->id, entry->type);
	if (entry->state != UNIX_STATE_ESTABLISHED && entry->state != UNIX_STATE_CLOSE &&
	    (entry->state != UNIX_STATE_LISTEN || (entry->type == SOCK_DGRAM && !(entry->uflags & UNIX_UFLAG_EXTERN))))
		return fail(EINVAL, "files.img: unix socket %u: state %u", entry->id, entry->state);
	if (entry->name.len > UNIX_NAME_MAX_BYTES || entry->backlog > INT32_MAX)
		return fail(EINVAL, "files.img: unix socket %u: name of %zu bytes, backlog %u", entry->id,
			    entry->name.len, entry->backlog);
	if (entry->name_dir && image_check_path(entry->name_dir, "unix socket", entry->id))
		return -EINVAL;
	return check_unix_peer(objects, entry);
}

int image_check_sk_packets(const struct model *model)
{
	for (size_t i = 0; i < model->sk_packets.n; i++) {
		const SkPacketEntry *packet = model->sk_packets.data[i].entry;
		const FileEntry *file = model_file(model, packet->id_for);

		if (!file || (file->type != FD_TYPES__UNIXSK && file->type != FD_TYPES__INETSK))
			return fail(EINVAL, "sk-queues.img: message %zu: socket %u is not in files.img", i,
				    packet->id_for);
		if (packet->has_sender &&
		    (!file->usk || file->usk->type != SOCK_DGRAM || packet->sender.len > UNIX_NAME_MAX_BYTES))
			return fail(EINVAL, "sk-queues.img: message %zu: a sender's name of %zu bytes, socket type %u",
				    i, packet->sender.len, file->usk ? file->usk->type : 0);
		for (size_t k = 0; k < packet->n_scm; k++)
			for (size_t n = 0; n < packet->scm[k]->n_rights; n++)
				if (!model_file(model, packet->scm[k]->rights[n]))
					return fail(EINVAL, "sk-queues.img: message %zu: file %u is not in files.img",
						    i, packet->scm[k]->rights[n]);
	}
	return 0;
}
