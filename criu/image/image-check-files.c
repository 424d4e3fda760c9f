/* Descriptor tables, file entries, and the objects they lead to. */
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "image/image-check.h"
#include "util/log.h"

#define LEGACY_GHOST_BIT      0x80000000u
#define FD_MAX		      (1 << 30)
#define HANDLE_MAX_BYTES      128
#define TERMIOS_CHARS_MAX     32
#define XATTR_NAME_MAX_BYTES  255
#define XATTR_VALUE_MAX_BYTES 65536

/* unix_sk_entry: states of the kernel, uflags, and the longest sun_path, which the kernel may end with a NUL byte more. */
#define UNIX_STATE_ESTABLISHED 1
#define UNIX_STATE_CLOSE       7
#define UNIX_STATE_LISTEN      10
#define UNIX_UFLAG_EXTERN      1
#define UNIX_NAME_MAX_BYTES    109

/* What file entries point to, by id. */
struct objects {
	struct hash ttys, memfds, pipes, ghosts, shmem_files, sockets;
};

static void objects_free(struct objects *objects)
{
	hash_free(&objects->ttys);
	hash_free(&objects->memfds);
	hash_free(&objects->pipes);
	hash_free(&objects->ghosts);
	hash_free(&objects->shmem_files);
	hash_free(&objects->sockets);
}

static int check_path(const char *path, const char *what, uint32_t id)
{
	if (path[0] != '/' || strlen(path) >= PATH_MAX)
		return fail(EINVAL, "%s %u: name '%.64s' is not an absolute path", what, id, path);
	return 0;
}

static int check_reg_reference(const struct model *model, uint32_t id, const char *what, uint32_t from)
{
	const FileEntry *file = model_file(model, id);

	if (!file || file->type != FD_TYPES__REG)
		return fail(EINVAL, "files.img: %s %u: regular file %u is not there", what, from, id);
	return 0;
}

static int check_tty(const TtyInfoEntry *tty)
{
	const TermiosEntry *termios[] = { tty->termios, tty->termios_locked };

	for (size_t i = 0; i < ARRAY_SIZE(termios); i++)
		if (termios[i] && termios[i]->n_c_cc > TERMIOS_CHARS_MAX)
			return fail(EINVAL, "tty-info.img: terminal %u: %zu control characters", tty->id,
				    termios[i]->n_c_cc);
	if (tty->type == TTY_TYPE__PTY && !tty->pty)
		return fail(EINVAL, "tty-info.img: terminal %u: a pty without its number", tty->id);
	return 0;
}

static int collect_ttys(const struct model *model, struct objects *objects)
{
	for (size_t i = 0; i < model->ttys.n; i++) {
		TtyInfoEntry *tty = model->ttys.data[i];
		int err = check_tty(tty);

		if (err)
			return err;
		if (hash_put(&objects->ttys, tty->id, 0, tty))
			return fail(EINVAL, "tty-info.img: terminal %u is there twice", tty->id);
	}
	return 0;
}

static int collect_memfds(const struct model *model, struct objects *objects)
{
	for (size_t i = 0; i < model->memfds.n; i++) {
		MemfdInodeEntry *memfd = model->memfds.data[i];

		if (memfd->size > INT64_MAX)
			return fail(EINVAL, "memfd.img: memfd %llu: size %llu", (unsigned long long)memfd->inode_id,
				    (unsigned long long)memfd->size);
		if (hash_put(&objects->memfds, memfd->inode_id, 0, memfd))
			return fail(EINVAL, "memfd.img: memfd %llu is there twice",
				    (unsigned long long)memfd->inode_id);
	}
	return 0;
}

static int collect_ghosts(const struct model *model, struct objects *objects)
{
	for (size_t i = 0; i < model->ghosts.n; i++) {
		struct ghost_image *ghost = &model->ghosts.data[i];
		mode_t type = ghost->entry->mode & S_IFMT;

		if (type != S_IFREG && type != S_IFDIR && type != S_IFIFO && type != S_IFLNK && type != S_IFSOCK &&
		    type != S_IFCHR && type != S_IFBLK)
			return fail(EINVAL, "ghost-file-%x.img: mode %#o is of no kind of file", ghost->id,
				    ghost->entry->mode);
		if (ghost->entry->size > INT64_MAX)
			return fail(EINVAL, "ghost-file-%x.img: size %llu", ghost->id,
				    (unsigned long long)ghost->entry->size);
		hash_put(&objects->ghosts, ghost->id, 0, ghost);
	}
	return 0;
}

static int check_time(const ShmemFileTime *time, uint32_t id)
{
	if (time && time->nsec >= 1000000000)
		return fail(EINVAL, "shmem-file-%u.img: a time with %u nanoseconds", id, time->nsec);
	return 0;
}

static int check_shmem_file(const struct shmem_file_image *file)
{
	const ShmemFileEntry *entry = file->entry;
	int err = 0;

	if (!entry->n_names)
		return fail(EINVAL, "shmem-file-%u.img: no name", file->id);
	for (size_t i = 0; i < entry->n_names && !err; i++)
		err = check_path(entry->names[i], "shmem-file", file->id);
	err = err ?: check_time(entry->atim, file->id);
	err = err ?: check_time(entry->mtim, file->id);
	err = err ?: check_time(entry->ctim, file->id);
	if (err)
		return err;
	if (!S_ISREG(entry->mode))
		return fail(EINVAL, "shmem-file-%u.img: mode %#o is not a regular file's", file->id, entry->mode);
	if (entry->size > INT64_MAX)
		return fail(EINVAL, "shmem-file-%u.img: size %llu", file->id, (unsigned long long)entry->size);
	for (size_t i = 0; i < entry->n_xattrs; i++)
		if (strlen(entry->xattrs[i]->name) > XATTR_NAME_MAX_BYTES ||
		    entry->xattrs[i]->value.len > XATTR_VALUE_MAX_BYTES)
			return fail(EINVAL, "shmem-file-%u.img: extended attribute %zu is too long", file->id, i);
	return 0;
}

static int check_carried_file(const CarriedFileEntry *carried)
{
	const struct shmem_file_image file = { .id = carried->id, .entry = carried->file };

	return check_shmem_file(&file);
}

static bool handle_is_whole(const FhEntry *handle)
{
	return handle->bytes <= HANDLE_MAX_BYTES && handle->n_handle * sizeof(uint64_t) >= handle->bytes;
}

static int check_external_object(const ExternalObjectEntry *entry)
{
	const FhEntry *handle = entry->handle;

	if (handle && !handle_is_whole(handle))
		return fail(EINVAL, "external-objects.img: file handle of %u bytes in %zu words", handle->bytes,
			    handle->n_handle);
	for (size_t i = 0; i < entry->n_holders; i++) {
		const ExternalHolderEntry *holder = entry->holders[i];

		if (!holder->pid || holder->pid > INT32_MAX || (holder->has_fd && holder->fd > INT32_MAX) ||
		    (!holder->has_fd && holder->start >= holder->end))
			return fail(EINVAL, "external-objects.img: holder %zu of object %llu", i,
				    (unsigned long long)entry->id);
	}
	return 0;
}

static int check_external_objects(const struct model *model)
{
	struct hash seen = { 0 };
	int err = 0;

	for (size_t i = 0; i < model->external_objects.n && !err; i++) {
		ExternalObjectEntry *entry = model->external_objects.data[i];

		err = check_external_object(entry);
		if (!err && hash_put(&seen, entry->id, 0, entry))
			err = fail(EINVAL, "external-objects.img: object %llu twice", (unsigned long long)entry->id);
	}
	hash_free(&seen);
	return err;
}

static int collect_shmem_files(const struct model *model, struct objects *objects)
{
	for (size_t i = 0; i < model->shmem_files.n; i++) {
		struct shmem_file_image *file = &model->shmem_files.data[i];
		int err = check_shmem_file(file);

		if (err)
			return err;
		hash_put(&objects->shmem_files, file->id, 0, file);
	}
	return 0;
}

static int check_stretches(const PipeDataEntry *entry)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < entry->n_stretches; i++)
		bytes += entry->stretches[i];
	if (bytes > entry->bytes)
		return fail(EINVAL, "pipe %u: packets of %llu bytes in %u", entry->pipe_id, (unsigned long long)bytes,
			    entry->bytes);
	return 0;
}

static int collect_pipes(const struct model *model, struct objects *objects)
{
	for (size_t i = 0; i < model->pipe_data.n; i++) {
		struct pipe_data_image *data = &model->pipe_data.data[i];
		const PipeDataEntry *entry = data->entry;
		int err;

		if (entry->has_size && (entry->size > INT32_MAX || entry->bytes > entry->size))
			return fail(EINVAL, "pipe %u: %u bytes in a pipe of %u", entry->pipe_id, entry->bytes,
				    entry->size);
		err = check_stretches(entry);
		if (err)
			return err;
		if (hash_put(&objects->pipes, entry->pipe_id, data->fifo, data))
			return fail(EINVAL, "%s: pipe %u is there twice",
				    data->fifo ? "fifo-data.img" : "pipes-data.img", entry->pipe_id);
	}
	return 0;
}

/* The message a known type needs: present, and of the same id. */
static int check_body(const FileEntry *file, const void *body, uint32_t id)
{
	if (!body || id != file->id)
		return fail(EINVAL, "files.img: file %u: its description of type %d is missing or has another id",
			    file->id, (int)file->type);
	return 0;
}

#define check_part(file, part) check_body(file, (file)->part, (file)->part ? (file)->part->id : 0)

static int check_watched(const struct model *model, const EventpollFileEntry *epoll)
{
	for (size_t i = 0; i < epoll->n_tfd; i++) {
		const EventpollTfdEntry *watched = epoll->tfd[i];

		if (watched->tfd > FD_MAX)
			return fail(EINVAL, "files.img: epoll instance %u: descriptor %u", epoll->id, watched->tfd);
		if (!model_file(model, watched->id))
			return fail(EINVAL, "files.img: epoll instance %u: watched file %u is not there", epoll->id,
				    watched->id);
	}
	return 0;
}

static int check_inotify(const struct model *model, const InotifyFileEntry *ify)
{
	for (size_t i = 0; i < ify->n_wd; i++) {
		const InotifyWdEntry *watch = ify->wd[i];
		int err = 0;

		if (!handle_is_whole(watch->f_handle))
			return fail(EINVAL, "files.img: inotify instance %u: file handle of %u bytes in %zu words",
				    ify->id, watch->f_handle->bytes, watch->f_handle->n_handle);
		if (watch->f_handle->path)
			err = check_path(watch->f_handle->path, "inotify instance", ify->id);
		if (!err && watch->has_file_id)
			err = check_reg_reference(model, watch->file_id, "inotify instance", ify->id);
		if (err)
			return err;
	}
	return 0;
}

static int collect_sockets(const struct model *model, struct objects *objects)
{
	for (size_t i = 0; i < model->files.n; i++) {
		const FileEntry *file = model->files.data[i];
		int err;

		if (file->type != FD_TYPES__UNIXSK)
			continue;
		err = check_part(file, usk);
		if (err)
			return err;
		if (!file->usk->ino || hash_put(&objects->sockets, file->usk->ino, 0, file->usk))
			return fail(EINVAL, "files.img: unix socket %u: inode %u is there twice, or 0", file->id,
				    file->usk->ino);
	}
	return 0;
}

static int check_unix_peer(const struct objects *objects, const UnixSkEntry *entry)
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

static int check_unix(const struct objects *objects, const FileEntry *file)
{
	const UnixSkEntry *entry = file->usk;

	if (entry->type != SOCK_STREAM && entry->type != SOCK_DGRAM && entry->type != SOCK_SEQPACKET)
		return fail(EINVAL, "files.img: unix socket %u: type %u", entry->id, entry->type);
	if (entry->state != UNIX_STATE_ESTABLISHED && entry->state != UNIX_STATE_CLOSE &&
	    (entry->state != UNIX_STATE_LISTEN || entry->type == SOCK_DGRAM))
		return fail(EINVAL, "files.img: unix socket %u: state %u", entry->id, entry->state);
	if (entry->name.len > UNIX_NAME_MAX_BYTES || entry->backlog > INT32_MAX)
		return fail(EINVAL, "files.img: unix socket %u: name of %zu bytes, backlog %u", entry->id,
			    entry->name.len, entry->backlog);
	if (entry->name_dir && check_path(entry->name_dir, "unix socket", entry->id))
		return -EINVAL;
	return check_unix_peer(objects, entry);
}

static int check_sk_packets(const struct model *model)
{
	for (size_t i = 0; i < model->sk_packets.n; i++) {
		const SkPacketEntry *packet = model->sk_packets.data[i].entry;
		const FileEntry *file = model_file(model, packet->id_for);

		if (!file || file->type != FD_TYPES__UNIXSK)
			return fail(EINVAL, "sk-queues.img: message %zu: unix socket %u is not in files.img", i,
				    packet->id_for);
		for (size_t k = 0; k < packet->n_scm; k++)
			for (size_t n = 0; n < packet->scm[k]->n_rights; n++)
				if (!model_file(model, packet->scm[k]->rights[n]))
					return fail(EINVAL, "sk-queues.img: message %zu: file %u is not in files.img",
						    i, packet->scm[k]->rights[n]);
	}
	return 0;
}

static int check_file(const struct model *model, const struct objects *objects, const FileEntry *file)
{
	int err;

	switch (file->type) {
	case FD_TYPES__REG:
		err = check_part(file, reg);
		/* The name of an external file is a key of the user's, not a path. */
		if (err || (file->reg->has_ext && file->reg->ext))
			return err;
		return check_path(file->reg->name, "regular file", file->id);
	case FD_TYPES__PIPE:
		return check_part(file, pipe);
	case FD_TYPES__FIFO:
		err = check_part(file, fifo);
		if (err || !file->fifo->has_regf_id)
			return err;
		return check_reg_reference(model, file->fifo->regf_id, "fifo", file->id);
	case FD_TYPES__EVENTFD:
		return check_part(file, efd);
	case FD_TYPES__SIGNALFD:
		return check_part(file, sgfd);
	case FD_TYPES__TIMERFD:
		return check_part(file, tfd);
	case FD_TYPES__INOTIFY:
		err = check_part(file, ify);
		return err ? err : check_inotify(model, file->ify);
	case FD_TYPES__PIDFD:
		return check_part(file, pidfd);
	case FD_TYPES__EVENTPOLL:
		err = check_part(file, epfd);
		return err ? err : check_watched(model, file->epfd);
	case FD_TYPES__UNIXSK:
		return check_unix(objects, file);
	case FD_TYPES__EXT:
		return check_part(file, ext);
	case FD_TYPES__MEMFD:
		err = check_part(file, memfd);
		if (!err && !hash_get(&objects->memfds, file->memfd->inode_id, 0))
			err = fail(EINVAL, "files.img: memfd %u: inode %u is not in memfd.img", file->id,
				   file->memfd->inode_id);
		return err;
	case FD_TYPES__TTY:
		err = check_part(file, tty);
		if (!err && !hash_get(&objects->ttys, file->tty->tty_info_id, 0))
			err = fail(EINVAL, "files.img: terminal file %u: terminal %u is not in tty-info.img", file->id,
				   file->tty->tty_info_id);
		if (err || !file->tty->has_regf_id)
			return err;
		return check_reg_reference(model, file->tty->regf_id, "terminal file", file->id);
	default:
		/* Whether this kind can be restored at all is for the table of kinds to say. */
		return 0;
	}
}

static int check_remap(const struct model *model, const struct objects *objects, const RemapFilePathEntry *remap)
{
	const FileEntry *target;

	switch (remap->remap_type) {
	case REMAP_TYPE__LINKED:
		target = model_file(model, remap->remap_id);
		if (!target || target->type != FD_TYPES__REG)
			return fail(EINVAL, "remap-fpath.img: file %u: its link %u is not in files.img", remap->orig_id,
				    remap->remap_id);
		return 0;
	case REMAP_TYPE__GHOST:
		if (!hash_get(&objects->ghosts, remap->remap_id, 0))
			return fail(EINVAL, "remap-fpath.img: file %u: no ghost %#x", remap->orig_id, remap->remap_id);
		return 0;
	case REMAP_TYPE__SHMEM:
		if (!hash_get(&objects->shmem_files, remap->remap_id, 0))
			return fail(EINVAL, "remap-fpath.img: file %u: no shared object %u", remap->orig_id,
				    remap->remap_id);
		return 0;
	default:
		return fail(ENOTSUP, "remap-fpath.img: file %u: remap type %d, which this program cannot restore",
			    remap->orig_id, (int)remap->remap_type);
	}
}

static int check_remaps(const struct model *model, const struct objects *objects)
{
	struct hash seen = { 0 };
	int err = 0;

	for (size_t i = 0; i < model->remaps.n && !err; i++) {
		RemapFilePathEntry *remap = model->remaps.data[i];

		err = check_reg_reference(model, remap->orig_id, "remapped file", remap->orig_id);
		err = err ?: check_remap(model, objects, remap);
		if (!err && hash_put(&seen, remap->orig_id, 0, remap))
			err = fail(EINVAL, "remap-fpath.img: file %u is there twice", remap->orig_id);
	}
	hash_free(&seen);
	return err;
}

static int check_fdtable(const struct model *model, const struct fdtable_image *table)
{
	struct hash seen = { 0 };
	int err = 0;

	for (size_t i = 0; i < table->n_fds && !err; i++) {
		FdinfoEntry *entry = table->fds[i];
		const FileEntry *file = model_file(model, entry->id);

		if (entry->fd > FD_MAX)
			err = fail(EINVAL, "fdinfo-%u.img: descriptor %u", table->files_id, entry->fd);
		else if (!file || file->type != entry->type)
			err = fail(EINVAL, "fdinfo-%u.img: descriptor %u: file %u of type %d is not in files.img",
				   table->files_id, entry->fd, entry->id, (int)entry->type);
		else if (hash_put(&seen, entry->fd, 0, entry))
			err = fail(EINVAL, "fdinfo-%u.img: descriptor %u is there twice", table->files_id, entry->fd);
	}
	hash_free(&seen);
	return err;
}

void image_normalize_remap(RemapFilePathEntry *remap)
{
	if (remap->has_remap_type)
		return;
	remap->has_remap_type = true;
	remap->remap_type = remap->remap_id & LEGACY_GHOST_BIT ? REMAP_TYPE__GHOST : REMAP_TYPE__LINKED;
	remap->remap_id &= ~LEGACY_GHOST_BIT;
}

/* Mainline leaves out which files an epoll instance watches: they are what has the number. */
static void normalize_epoll(const struct model *model, EventpollFileEntry *epoll)
{
	for (size_t i = 0; i < epoll->n_tfd; i++) {
		EventpollTfdEntry *watched = epoll->tfd[i];

		for (size_t t = 0; t < model->fdtables.n && !watched->id; t++)
			if (fdtable_has_file(&model->fdtables.data[t], epoll->id))
				watched->id = fdtable_file(&model->fdtables.data[t], watched->tfd);
	}
}

int image_check_files(const struct model *model)
{
	struct objects objects = { 0 };
	int err;

	for (size_t i = 0; i < model->files.n; i++)
		if (model->files.data[i]->epfd)
			normalize_epoll(model, model->files.data[i]->epfd);
	err = collect_ttys(model, &objects);
	err = err ?: collect_memfds(model, &objects);
	err = err ?: collect_ghosts(model, &objects);
	err = err ?: collect_shmem_files(model, &objects);
	err = err ?: check_external_objects(model);
	for (size_t i = 0; i < model->carried_files.n && !err; i++)
		err = check_carried_file(model->carried_files.data[i]);
	err = err ?: collect_pipes(model, &objects);
	err = err ?: collect_sockets(model, &objects);
	err = err ?: check_sk_packets(model);
	for (size_t i = 0; i < model->files.n && !err; i++)
		err = check_file(model, &objects, model->files.data[i]);
	err = err ?: check_remaps(model, &objects);
	for (size_t i = 0; i < model->fdtables.n && !err; i++)
		err = check_fdtable(model, &model->fdtables.data[i]);
	objects_free(&objects);
	return err;
}
