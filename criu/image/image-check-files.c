/* Descriptor tables and file entries; see image-check-objects.c and image-check-unix.c for what they lead to. */
#include "image/image-check-files.h"
#include "util/log.h"

#define LEGACY_GHOST_BIT 0x80000000u
#define FD_MAX		 (1 << 30)

/* The message a known type needs: present, and of the same id. */
int image_check_body(const FileEntry *file, const void *body, uint32_t id)
{
	if (!body || id != file->id)
		return fail(EINVAL, "files.img: file %u: its description of type %d is missing or has another id",
			    file->id, (int)file->type);
	return 0;
}

static int check_reg_reference(const struct model *model, uint32_t id, const char *what, uint32_t from)
{
	const FileEntry *file = model_file(model, id);

	if (!file || file->type != FD_TYPES__REG)
		return fail(EINVAL, "files.img: %s %u: regular file %u is not there", what, from, id);
	return 0;
}

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

		if (!image_handle_is_whole(watch->f_handle))
			return fail(EINVAL, "files.img: inotify instance %u: file handle of %u bytes in %zu words",
				    ify->id, watch->f_handle->bytes, watch->f_handle->n_handle);
		if (watch->f_handle->path)
			err = image_check_path(watch->f_handle->path, "inotify instance", ify->id);
		if (!err && watch->has_file_id)
			err = check_reg_reference(model, watch->file_id, "inotify instance", ify->id);
		if (err)
			return err;
	}
	return 0;
}

static int check_marks(const struct model *model, const FanotifyFileEntry *ffy)
{
	for (size_t i = 0; i < ffy->n_mark; i++) {
		const FanotifyMarkEntry *mark = ffy->mark[i];
		const FhEntry *handle = mark->ie ? mark->ie->f_handle : NULL;
		const char *path = mark->me ? mark->me->path : handle ? handle->path : NULL;
		int err = 0;

		if (mark->type == MARK_TYPE__INODE ? !mark->ie : !mark->me)
			return fail(EINVAL, "files.img: fanotify group %u: mark %zu says not on what", ffy->id, i);
		if (handle && !image_handle_is_whole(handle))
			return fail(EINVAL, "files.img: fanotify group %u: file handle of %u bytes in %zu words",
				    ffy->id, handle->bytes, handle->n_handle);
		if (path)
			err = image_check_path(path, "fanotify group", ffy->id);
		if (!err && mark->ie && mark->ie->has_file_id)
			err = check_reg_reference(model, mark->ie->file_id, "fanotify group", ffy->id);
		if (err)
			return err;
	}
	return 0;
}

static int check_file(const struct model *model, const struct image_objects *objects, const FileEntry *file)
{
	int err;

	switch (file->type) {
	case FD_TYPES__REG:
		err = image_check_part(file, reg);
		/* The name of an external file is a key of the user's, not a path. */
		if (err || (file->reg->has_ext && file->reg->ext))
			return err;
		return image_check_path(file->reg->name, "regular file", file->id);
	case FD_TYPES__PIPE:
		return image_check_part(file, pipe);
	case FD_TYPES__FIFO:
		err = image_check_part(file, fifo);
		if (err || !file->fifo->has_regf_id)
			return err;
		return check_reg_reference(model, file->fifo->regf_id, "fifo", file->id);
	case FD_TYPES__EVENTFD:
		return image_check_part(file, efd);
	case FD_TYPES__SIGNALFD:
		return image_check_part(file, sgfd);
	case FD_TYPES__TIMERFD:
		return image_check_part(file, tfd);
	case FD_TYPES__INOTIFY:
		err = image_check_part(file, ify);
		return err ? err : check_inotify(model, file->ify);
	case FD_TYPES__FANOTIFY:
		err = image_check_part(file, ffy);
		return err ? err : check_marks(model, file->ffy);
	case FD_TYPES__PIDFD:
		return image_check_part(file, pidfd);
	case FD_TYPES__MQUEUE:
		err = image_check_part(file, mqueue);
		if (!err && !model_mqueue(model, file->mqueue->queue_id))
			err = fail(EINVAL, "files.img: queue file %u: queue %u is not in mqueue.img", file->id,
				   file->mqueue->queue_id);
		return err;
	case FD_TYPES__EVENTPOLL:
		err = image_check_part(file, epfd);
		return err ? err : check_watched(model, file->epfd);
	case FD_TYPES__UNIXSK:
		return image_check_unix(objects, file);
	case FD_TYPES__NETLINKSK:
		return image_check_part(file, nlsk);
	case FD_TYPES__INETSK:
		return image_check_inet(file);
	case FD_TYPES__PACKETSK:
		return image_check_part(file, psk);
	case FD_TYPES__NS:
		return image_check_part(file, nsf);
	case FD_TYPES__EXT:
		return image_check_part(file, ext);
	case FD_TYPES__MEMFD:
		err = image_check_part(file, memfd);
		if (!err && !hash_get(&objects->memfds, file->memfd->inode_id, 0))
			err = fail(EINVAL, "files.img: memfd %u: inode %u is not in memfd.img", file->id,
				   file->memfd->inode_id);
		return err;
	case FD_TYPES__TTY:
		err = image_check_part(file, tty);
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

static int check_remap(const struct model *model, const struct image_objects *objects, const RemapFilePathEntry *remap)
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

static int check_remaps(const struct model *model, const struct image_objects *objects)
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
	struct image_objects objects = { 0 };
	int err;

	for (size_t i = 0; i < model->files.n; i++)
		if (model->files.data[i]->epfd)
			normalize_epoll(model, model->files.data[i]->epfd);
	err = image_objects_collect(model, &objects);
	err = err ?: image_collect_unix(model, &objects);
	err = err ?: image_check_sk_packets(model);
	for (size_t i = 0; i < model->files.n && !err; i++)
		err = check_file(model, &objects, model->files.data[i]);
	err = err ?: check_remaps(model, &objects);
	for (size_t i = 0; i < model->fdtables.n && !err; i++)
		err = check_fdtable(model, &model->fdtables.data[i]);
	image_objects_free(&objects);
	return err;
}
