/*
 * Files reached by a path.
 *
 * The kernel keeps: path (mount and dentry), status flags, position. All of it
 * is seen from outside. The content stays where it is: restore looks at what the
 * path leads to and opens it if that is the file that was dumped, by kind, size,
 * mode and build id. Symbolic links are not followed: the path had none when
 * the kernel told it. A name that is gone goes through mem/remap.h, and what comes from
 * there is reopened through /proc/self/fd, which is also how modes differ
 * between holders of one deleted file. Lost: read-ahead state.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "files/build-id.h"
#include "files/files-internal.h"
#include "files/files-reg.h"
#include "files/fown.h"
#include "files/inherit.h"
#include "files/plain-device.h"
#include "files/proc-task.h"
#include "kernel/path.h"
#include "mem/carried.h"
#include "mem/external.h"
#include "mem/overlay.h"

/* --- dump ------------------------------------------------------------------ */

static bool reg_match(const struct file_desc *desc)
{
	if (desc->link[0] != '/')
		return false;
	if (desc->info.flags & O_PATH)
		return true;
	return S_ISREG(desc->st.st_mode) || S_ISDIR(desc->st.st_mode) ||
	       plain_device_match(&desc->st, desc->info.flags);
}

/* Trees where a path does not outlive what it shows, or does not lead there at all. */
static const struct {
	uint64_t magic;
	const char *what;
} pathless_fs[] = {
	{ 0x6e736673, "namespace file" }, { FS_MAGIC_MQUEUE, "POSIX message queue (O_PATH)" },
	{ 0x5345434d, "secret memory" },  { 0x444d4142, "dma-buf" },
	{ 0x50494446, "pidfd" },	  { 0x09041934, "anonymous inode" },
	{ 0xcafe4a11, "bpf object" },
};

static bool refuse_pathless(struct files_dump *ctx, const struct reg_source *source)
{
	if (source->path[0] != '/') {
		refuse_object(ctx->refusals, source->inode->id,
			      "%s: not reachable from criu's root directory; run criu where the path is visible",
			      source->path);
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(pathless_fs); i++) {
		if (source->inode->fs_magic == pathless_fs[i].magic) {
			refuse_object(ctx->refusals, source->inode->id,
				      "%s: %s: not supported by this version; close it before the dump", source->path,
				      pathless_fs[i].what);
			return true;
		}
	}
	if (source->inode->kind == INODE_ANON_SHARED || source->inode->kind == INODE_SYSV ||
	    (source->inode->kind == INODE_OTHER && S_ISREG(source->st->st_mode))) {
		refuse_object(ctx->refusals, source->inode->id,
			      "%s: memory of the kernel's that has no path: not supported; close it before the dump",
			      source->path);
		return true;
	}
	return false;
}

static void add_build_id(struct model *model, int fd, RegFileEntry *reg)
{
	struct build_id id;

	build_id_read(fd, &id);
	if (!id.n_words)
		return;
	reg->n_build_id = id.n_words;
	reg->build_id = arena_memdup(model->arena, id.words, id.n_words * sizeof(*id.words));
}

static RegFileEntry *new_entry(struct files_dump *ctx, const struct reg_source *source, FileEntry *entry)
{
	RegFileEntry *reg = model_new(ctx->model, RegFileEntry, reg_file_entry__init);

	entry->reg = reg;
	reg->id = entry->id;
	reg->flags = source->flags & ~FILE_FLAGS_NEVER;
	reg->pos = source->pos;
	reg->fown = source->fown;
	reg->name = (char *)source->path;
	reg->has_mode = true;
	reg->mode = source->st->st_mode;
	if (S_ISREG(source->st->st_mode)) {
		reg->has_size = true;
		reg->size = source->st->st_size;
	}
	return reg;
}

/* The last name an inode was looked up by: a file opened a thousand times is looked up once. */
struct checked_name {
	const char *path;
	bool gone;
};

static bool name_is_gone(struct files_dump *ctx, const struct inode *inode, const char *path)
{
	struct hash *names = &files_dump_state(ctx)->names;
	struct checked_name *name = hash_get(names, inode->id, 0);

	if (name && !strcmp(name->path, path))
		return name->gone;
	name = arena_new_of(ctx->model->arena, struct checked_name);
	name->path = path;
	name->gone = S_ISCHR(inode->st.st_mode) ? !plain_device_at(path, &inode->st) : remap_needed(inode, path);
	hash_put(names, inode->id, 0, name);
	return name->gone;
}

int reg_add(struct files_dump *ctx, const struct reg_source *source, FileEntry *entry)
{
	new_entry(ctx, source, entry);
	if (proc_task_plan(ctx, source, entry) || refuse_pathless(ctx, source))
		return 0;
	if (!name_is_gone(ctx, source->inode, source->path)) {
		/* What is saved needs no proof that it is the right one, and reading would move its access time. */
		if (S_ISREG(source->st->st_mode) && ctx->options->validate_build_id)
			add_build_id(ctx->model, source->fd, entry->reg);
		carried_note(source->inode, source->path, ctx->options);
		return 0;
	}
	if (S_ISCHR(source->st->st_mode)) {
		plain_device_take(ctx, source->st, entry->reg);
		return 0;
	}
	return remap_plan_file(source->inode, entry, ctx->model, ctx->options, ctx->refusals);
}

/* F_NOTIFY makes its caller the signal owner; nothing else of it can be seen, and hardly anybody has another use for that. */
static void warn_of_dnotify(const struct file_desc *desc, const FownEntry *fown)
{
	if (S_ISDIR(desc->st.st_mode) && fown->pid)
		pr_warn("%s: a directory with a signal owner (task %" PRIu32
			"): if it is watched with F_NOTIFY (dnotify), nothing shows that, and the watch is lost",
			desc->link, fown->pid);
}

int reg_add_desc(struct files_dump *ctx, struct file_desc *desc, FileEntry *entry)
{
	struct reg_source source = {
		.inode = desc->inode,
		.st = &desc->st,
		.fd = desc->fd,
		.path = file_path(ctx->model->arena, desc->link, &desc->st),
		.flags = desc->info.flags,
		.pos = desc->info.pos,
	};
	int ret = fown_dump(ctx, desc, &source.fown);

	if (!ret)
		warn_of_dnotify(desc, source.fown);
	return ret ? ret : reg_add(ctx, &source, entry);
}

int reg_add_external(struct files_dump *ctx, struct file_desc *desc, const char *key)
{
	FileEntry *entry = model_add_file(ctx->model, FD_TYPES__REG);
	struct reg_source source = {
		.st = &desc->st,
		.fd = -1,
		/* Readers cut the first character off every name. */
		.path = arena_printf(ctx->model->arena, "/%s", key),
		.flags = desc->info.flags,
		.pos = desc->info.pos,
	};
	int ret = fown_dump(ctx, desc, &source.fown);

	if (ret)
		return ret;
	desc->entry = entry;
	new_entry(ctx, &source, entry);
	entry->reg->has_ext = true;
	entry->reg->ext = true;
	return 0;
}

static bool has_lease(const struct file_desc *desc)
{
	for (size_t i = 0; i < desc->info.locks.n; i++)
		if (desc->info.locks.data[i].kind == PROC_LOCK_LEASE)
			return true;
	return false;
}

/*
 * It reads the file as it is now, but maps it as it was; restore can make no such descriptor. Looking opens the
 * file once more, which would break a lease; while this one is open, nobody else can have one that it breaks.
 */
static void warn_if_older(const struct files_dump *ctx, const struct file_desc *desc)
{
	if (desc->info.flags & (O_PATH | O_ACCMODE) || ctx->inodes->passive || has_lease(desc) ||
	    !overlay_fd_maps_lower(desc->inode, desc->fd))
		return;
	pr_warn("%s: opened before overlayfs copied it up: what is mapped through this descriptor after the restore is "
		"the file as it is now",
		desc->link);
}

static int reg_plan(struct files_dump *ctx, struct file_desc *desc)
{
	warn_if_older(ctx, desc);
	return reg_add_desc(ctx, desc, desc->entry);
}

/* --- restore ---------------------------------------------------------------- */

static int reg_validate(const struct model *model, const FileEntry *entry)
{
	const RegFileEntry *reg = entry->reg;

	if (!reg || reg->id != entry->id)
		return fail(EINVAL, "regular file without its entry");
	if (reg->name[0] != '/' && !reg->ext)
		return fail(EINVAL, "path \"%s\" is not absolute", reg->name);
	if (reg->pos > INT64_MAX)
		return fail(EINVAL, "%s: position %" PRIu64 " is out of range", reg->name, reg->pos);
	if (reg->n_build_id > BUILD_ID_MAX_BYTES / 4)
		return fail(EINVAL, "%s: build id of %zu words", reg->name, reg->n_build_id);
	return 0;
}

/* How --inherit-fd names it. */
static const char *inherit_key(const RegFileEntry *reg)
{
	return reg->name + (reg->name[0] == '/');
}

static int check_build_id(const RegFileEntry *reg, int fd)
{
	struct build_id id;

	build_id_read(fd, &id);
	/* Opened for writing only, or stripped of it since: size and mode have to do. */
	if (!id.n_words)
		return 0;
	if (id.n_words != reg->n_build_id || memcmp(id.words, reg->build_id, id.n_words * sizeof(*id.words)))
		return fail(EINVAL,
			    "%s is another build than the one dumped; put the old file back, or use --file-validation "
			    "filesize",
			    reg->name);
	return 0;
}

static int check_file(struct files_restore *ctx, const RegFileEntry *reg, const struct stat *st)
{
	if (reg->has_mode && (reg->mode & S_IFMT) != (st->st_mode & S_IFMT))
		return fail(EINVAL, "%s is another kind of file than the one dumped (mode %o, was %o)", reg->name,
			    st->st_mode, reg->mode);
	if (reg->has_mode && reg->mode != st->st_mode && !ctx->options->skip_file_rwx_check)
		return fail(EINVAL, "%s has mode %o, was %o; change it back, or use --skip-file-rwx-check", reg->name,
			    st->st_mode & 07777, reg->mode & 07777);
	if (reg->has_size && S_ISREG(st->st_mode) && reg->size != (uint64_t)st->st_size)
		return fail(EINVAL, "%s has %lld bytes, had %" PRIu64 " when it was dumped; put the old file back",
			    reg->name, (long long)st->st_size, reg->size);
	return 0;
}

/* Opening a device may do something; dump takes only those that do nothing. */
static int check_no_effect(const RegFileEntry *reg, const struct stat *st)
{
	if (!S_ISBLK(st->st_mode) && (!S_ISCHR(st->st_mode) || plain_device_path(st)))
		return 0;
	return fail(ENOTSUP,
		    "%s is device %u:%u, which is not opened for anybody; supply it with --inherit-fd fd[N]:%s",
		    reg->name, major(st->st_rdev), minor(st->st_rdev), inherit_key(reg));
}

/*
 * Only opening the name itself keeps O_NOFOLLOW, which fcntl(2) shows. Whoever replaces the file at this moment
 * is found out afterwards.
 */
static int open_nofollow(const RegFileEntry *reg, int path_fd, int flags)
{
	auto_fd int fd = path_open(reg->name, flags | O_NOCTTY);

	if (fd >= 0 && inode_same(fd, path_fd) != 1)
		return -EBUSY;
	return take_fd(&fd);
}

static int open_checked(const RegFileEntry *reg, const struct looked_up *found, int flags, int *ret_fd)
{
	/* A fifo whose other end nobody holds must not block us. */
	bool nonblock = !(flags & (O_NONBLOCK | O_PATH)) && S_ISFIFO(found->st.st_mode);
	int now = flags | (nonblock ? O_NONBLOCK : 0);
	auto_fd int fd = flags & O_NOFOLLOW ? open_nofollow(reg, found->fd, now) : file_reopen(found->fd, now);

	if (fd < 0)
		return fail(-fd, "cannot open %s", reg->name);
	if (nonblock && fcntl(fd, F_SETFL, flags))
		return fail_errno("%s: F_SETFL", reg->name);
	*ret_fd = take_fd(&fd);
	return 0;
}

static int fail_path(const RegFileEntry *reg, int err)
{
	if (err == -ENOENT)
		return fail(ENOENT, "%s is missing; put it back, or supply it with --inherit-fd fd[N]:%s", reg->name,
			    inherit_key(reg));
	if (err == -ELOOP)
		return fail(ELOOP,
			    "%s leads through a symbolic link now, which is not followed; put the file itself back, or "
			    "supply it with --inherit-fd fd[N]:%s",
			    reg->name, inherit_key(reg));
	return fail(-err, "cannot open %s", reg->name);
}

/* Where the name leads; a file that is opened a thousand times in a row is looked up once. */
static int look_up(struct files_restore *ctx, const RegFileEntry *reg, const struct looked_up **ret)
{
	struct looked_up *last = &files_restore_state(ctx)->looked_up;

	*ret = last;
	if (last->name && !strcmp(last->name, reg->name))
		return 0;
	close_fdp(&last->fd);
	last->name = NULL;
	last->fd = path_open(reg->name, O_PATH | O_NOFOLLOW);
	if (last->fd < 0)
		return fail_path(reg, last->fd);
	if (fstat(last->fd, &last->st))
		return fail_errno("%s: fstat", reg->name);
	last->name = reg->name;
	return 0;
}

/* What the path leads to is looked at first: only the right file is really opened. */
static int open_path(struct files_restore *ctx, const RegFileEntry *reg, int flags, int *ret_fd)
{
	const struct looked_up *found;
	auto_fd int fd = -1;
	int ret;

	ret = look_up(ctx, reg, &found);
	if (!ret)
		ret = check_file(ctx, reg, &found->st);
	if (!ret && !(flags & O_PATH))
		ret = check_no_effect(reg, &found->st);
	ret = ret ?: open_checked(reg, found, flags, &fd);
	if (!ret && reg->n_build_id && ctx->options->validate_build_id)
		ret = check_build_id(reg, fd);
	if (!ret)
		*ret_fd = take_fd(&fd);
	return ret;
}

/* Descriptions of files are shared whole: flags and position belong to whoever supplied it. */
static int open_inherited(struct files_restore *ctx, const RegFileEntry *reg, int *ret_fd, bool *ret_inherited)
{
	struct made_file made = { 0 };
	int fd = options_inherited(ctx->options, inherit_key(reg));
	int ret = fd < 0 ? fd : inherit_share(fd, &made);

	if (ret)
		return ret;
	pr_info("%s: takes inherited descriptor %d", reg->name, fd);
	*ret_fd = made.fd;
	if (ret_inherited)
		*ret_inherited = true;
	return 0;
}

/* What was found outside is the object, whatever was inherited under its name; and perhaps so is the description. */
static int open_shared(struct files_restore *ctx, const FileEntry *entry, int *ret_fd, bool *ret_inherited)
{
	int fd;

	if (!ret_inherited)
		return -ENOENT;
	fd = external_share(ctx->model, remap_object(ctx->remaps, entry->id), entry->id, entry->reg->flags);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	*ret_inherited = true;
	return 0;
}

static bool is_attached(const struct files_restore *ctx, const FileEntry *entry)
{
	uint32_t object = remap_object(ctx->remaps, entry->id);

	return object && shmem_is_attached(ctx->shmem, object);
}

int reg_open(struct files_restore *ctx, const FileEntry *entry, int flags, int *ret_fd, bool *ret_inherited)
{
	const RegFileEntry *reg = entry->reg;
	int ret, remap, fd;

	flags = file_open_flags(flags);
	ret = is_attached(ctx, entry) ? open_shared(ctx, entry, ret_fd, ret_inherited)
				      : open_inherited(ctx, reg, ret_fd, ret_inherited);
	if (ret != -ENOENT)
		return ret;
	if (reg->ext)
		return fail(ENOENT, "%s is external; supply it with --inherit-fd fd[N]:%s", reg->name,
			    inherit_key(reg));

	remap = remap_fd(ctx->remaps, entry->id);
	if (remap == -ENOENT)
		return open_path(ctx, reg, flags, ret_fd);
	if (remap < 0)
		return remap;
	fd = file_reopen(remap, flags);
	if (fd < 0)
		return fail(-fd, "cannot reopen deleted file %s", reg->name);
	*ret_fd = fd;
	return 0;
}

static int reg_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	const RegFileEntry *reg = entry->reg;
	bool seekable = !(reg->flags & O_PATH) && (!reg->has_mode || S_ISREG(reg->mode) || S_ISDIR(reg->mode));
	bool inherited = false;
	auto_fd int fd = -1;
	int err;

	err = reg_open(ctx, entry, reg->flags, &fd, &inherited);
	if (err)
		return err;
	if (reg->pos && seekable && !inherited && lseek(fd, reg->pos, SEEK_SET) < 0)
		return fail_errno("%s: cannot seek to %" PRIu64, reg->name, reg->pos);
	ret->fd = take_fd(&fd);
	ret->inherited = inherited;
	return 0;
}

static bool reg_needs_tasks(const struct model *model, const FileEntry *entry)
{
	return !entry->reg->ext && proc_task_owns(model, entry->reg->name);
}

const struct file_kind reg_kind = {
	.type = FD_TYPES__REG,
	.name = "regular file",
	.needs_tasks = reg_needs_tasks,
	.match = reg_match,
	.plan = reg_plan,
	.validate = reg_validate,
	.make = reg_make,
};
