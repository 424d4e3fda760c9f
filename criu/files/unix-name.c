/*
 * Names of unix sockets.
 *
 * The kernel keeps the text given to bind(2) and, of a path, the inode it made. SIOCUNIXFILE
 * opens that inode, which tells whether the path still leads to it, and the directory a
 * relative one began in.
 *
 * A path that is there after the dump is a socket file nobody is bound to: restore
 * binds anew in its place. A deleted one is bound in a file system that nothing else sees,
 * so that neither the directory nor what has the name now is touched. A restore that is killed
 * may leave a socket file nobody is bound to, as the dump did.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <linux/un.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "kernel/sock-diag.h"
#include "files/unix-sk.h"
#include "kernel/path.h"

/* Bytes of the name without the final NUL, and whether it is a path at all. */
static bool is_path(const UnixSkEntry *entry)
{
	return entry->name.len && entry->name.data[0];
}

static int path_len(const UnixSkEntry *entry)
{
	return !entry->name.len ? 0 : strnlen((const char *)entry->name.data, entry->name.len);
}

const char *unix_name_text(struct arena *arena, const void *name, size_t bytes)
{
	const unsigned char *from = name;
	char *text, *to;

	if (!bytes)
		return "";
	if (from[0])
		bytes = strnlen(name, bytes);
	text = to = arena_alloc(arena, 4 * bytes + 4);
	to += sprintf(to, " '");
	for (size_t i = 0; i < bytes; i++)
		if (!i && !from[i])
			*to++ = '@';
		else
			to += sprintf(to, from[i] < ' ' || from[i] > '~' ? "\\x%02x" : "%c", from[i]);
	strcpy(to, "'");
	return text;
}

/* --- dump ------------------------------------------------------------------ */

static bool leads_to(const char *path, const struct stat *st)
{
	struct stat now;

	return !lstat(path, &now) && now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

static int bound_file(const struct file_desc *desc)
{
	int fd = ioctl(desc->fd, SIOCUNIXFILE);

	return fd < 0 ? fail_errno("%s: cannot open the file of its name: SIOCUNIXFILE", desc->link) : fd;
}

/* Where a relative name begins: what is before it in the whole path. */
static bool split_path(struct files_dump *ctx, const char *full, const UnixSkEntry *entry, char **ret_dir)
{
	const int len = path_len(entry), full_len = strlen(full);

	if (full_len <= len + 1 || memcmp(full + full_len - len, entry->name.data, len) ||
	    full[full_len - len - 1] != '/')
		return false;
	*ret_dir = arena_printf(ctx->model->arena, "%.*s", full_len - len - 1, full);
	return true;
}

static void add_perms(struct files_dump *ctx, const struct stat *st, UnixSkEntry *entry)
{
	entry->file_perms = model_new(ctx->model, FilePermsEntry, file_perms_entry__init);
	entry->file_perms->mode = st->st_mode & ALLPERMS;
	entry->file_perms->uid = st->st_uid;
	entry->file_perms->gid = st->st_gid;
}

int unix_name_plan(struct files_dump *ctx, const struct file_desc *desc)
{
	UnixSkEntry *entry = desc->entry->usk;
	auto_free char *link = NULL;
	auto_fd int fd = -1;
	const char *full, *path;
	char name[16];
	struct stat st;
	int err;

	if (!is_path(entry))
		return 0;
	fd = bound_file(desc);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return fail_errno("%s: fstat of its name", desc->link);
	snprintf(name, sizeof(name), "fd/%d", fd);
	err = proc_read_link(getpid(), name, &link);
	if (err)
		return err;
	add_perms(ctx, &st, entry);
	path = arena_printf(ctx->model->arena, "%.*s", path_len(entry), (const char *)entry->name.data);
	full = file_path(ctx->model->arena, link, &st);
	entry->has_deleted = entry->deleted = !st.st_nlink;
	if (entry->name.data[0] != '/' && !split_path(ctx, full, entry, &entry->name_dir) && !entry->deleted)
		refuse(ctx->refusals,
		       "%s: unix socket bound to '%s', renamed to %s since: not supported; give it its name back "
		       "before the dump",
		       desc->link, path, full);
	else if (!entry->deleted && !leads_to(entry->name_dir ? full : path, &st))
		refuse(ctx->refusals,
		       "%s: unix socket bound to '%s', which leads elsewhere (its file is %s): not supported; have the "
		       "name lead there before the dump, or close the socket",
		       desc->link, path, full);
	return 0;
}

/* --- restore ---------------------------------------------------------------- */

struct binding {
	struct unix_node *node;
	struct sockaddr_un addr;
	socklen_t bytes;
	const char *path; /* unlike sun_path, always with a NUL byte at its end; "" if abstract */
};

/* sun_path of the longest path has no NUL byte, which the kernel shows nevertheless. */
static void fill_addr(const UnixSkEntry *entry, struct sockaddr_un *addr, socklen_t *ret_bytes)
{
	size_t bytes = entry->name.len;

	if (bytes > sizeof(addr->sun_path))
		bytes = sizeof(addr->sun_path);
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(addr->sun_path, entry->name.data, bytes);
	*ret_bytes = offsetof(struct sockaddr_un, sun_path) + bytes;
}

static int make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			return fail_errno("cannot make directory %s of a deleted socket", path);
		*slash = '/';
	}
	return 0;
}

/* In a child: its root becomes an empty file system that ends with the last socket bound in it. */
static int enter_nowhere(const char *dir, const char *name)
{
	auto_free char *path = xasprintf("%s%s%s", dir, dir[0] ? "/" : "", name);
	auto_fd int fs = syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	auto_fd int mnt = -1;

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return fail_errno("cannot make a file system for the names of deleted sockets");
	mnt = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	if (mnt < 0 || fchdir(mnt) || chroot("."))
		return fail_errno("cannot enter a file system for the names of deleted sockets");
	if (make_parents(path) || (dir[0] && chdir(dir)))
		return fail_errno("cannot make the directory of a deleted socket");
	return 0;
}

static bool is_bound(const sock_diag_unix_list *list, const struct stat *st)
{
	const uint32_t dev = major(st->st_dev) << 20 | minor(st->st_dev);

	for (size_t i = 0; i < list->n; i++)
		if (list->data[i].file_ino == (uint32_t)st->st_ino && list->data[i].file_dev == dev)
			return true;
	return false;
}

/* A file nobody is bound to: nothing is lost with it. Asked of the kernel, for a connection would be noticed. */
static int clear_stale(const struct binding *binding)
{
	const char *path = binding->path;
	sock_diag_unix_list list = { 0 };
	struct stat st;
	bool bound;
	int err;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : fail_errno("cannot look at %s", path);
	if (!S_ISSOCK(st.st_mode))
		return fail(EEXIST, "%s was a unix socket and is another file now: take that away", path);
	err = sock_diag_unix(&list);
	if (err)
		return err;
	bound = is_bound(&list, &st);
	sock_diag_unix_free(&list);
	if (bound)
		return fail(EADDRINUSE, "%s is in use by a unix socket of another process", path);
	return unlink(path) ? fail_errno("cannot remove what was left of unix socket %s", path) : 0;
}

static int set_perms(const UnixSkEntry *entry, const char *path)
{
	const FilePermsEntry *perms = entry->file_perms;

	if (perms && !entry->deleted && (lchown(path, perms->uid, perms->gid) || chmod(path, perms->mode & ALLPERMS)))
		return fail_errno("cannot set owner and mode of unix socket %s", path);
	return 0;
}

static int do_bind(const struct binding *binding)
{
	if (bind(binding->node->fd, (const struct sockaddr *)&binding->addr, binding->bytes))
		return fail_errno("cannot bind a unix socket to %s%.*s", binding->path[0] ? "" : "abstract name @",
				  (int)sizeof(binding->addr.sun_path) - 1,
				  binding->path[0] ? binding->path : binding->addr.sun_path + 1);
	return 0;
}

static int bind_path(void *arg)
{
	struct binding *binding = arg;
	const UnixSkEntry *entry = binding->node->entry;
	int err;

	if (entry->deleted) {
		err = enter_nowhere(entry->name_dir ?: "", binding->path);
		err = err ?: do_bind(binding);
		return err || !unlink(binding->path) ? err : fail_errno("cannot delete a socket's name");
	}
	if (entry->name_dir && chdir(entry->name_dir))
		return fail_errno("cannot enter %s, where unix socket %s was", entry->name_dir, binding->path);
	err = clear_stale(binding);
	err = err ?: do_bind(binding);
	binding->node->named = !err;
	return err ? err : set_perms(entry, binding->path);
}

int unix_name_bind(struct unix_node *node)
{
	auto_free char *path = xasprintf("%.*s", path_len(node->entry), (const char *)node->entry->name.data ?: "");
	struct binding binding = { .node = node, .path = path };

	if (!node->entry->name.len)
		return 0;
	fill_addr(node->entry, &binding.addr, &binding.bytes);
	return is_path(node->entry) ? unix_in_child(bind_path, &binding) : do_bind(&binding);
}

int unix_name_address(const struct unix_node *to, struct sockaddr_un *ret, socklen_t *ret_bytes, int *ret_file)
{
	fill_addr(to->entry, ret, ret_bytes);
	if (!is_path(to->entry) || to->outside)
		return 0;
	*ret_file = ioctl(to->fd, SIOCUNIXFILE);
	if (*ret_file < 0)
		return fail_errno("SIOCUNIXFILE");
	*ret_bytes = sizeof(*ret);
	snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d", *ret_file);
	return 0;
}

int unix_name_connect(int fd, const struct unix_node *to)
{
	auto_fd int file = -1;
	struct sockaddr_un addr;
	socklen_t bytes;
	int err = unix_name_address(to, &addr, &bytes, &file);

	if (err)
		return err;
	if (connect(fd, (const struct sockaddr *)&addr, bytes))
		return fail_errno("cannot connect to unix socket %" PRIu32 "%s%.*s", to->entry->ino,
				  is_path(to->entry) ? ", " : "", path_len(to->entry),
				  is_path(to->entry) ? (const char *)to->entry->name.data : "");
	return 0;
}

static int unlink_path(void *arg)
{
	const UnixSkEntry *entry = ((struct unix_node *)arg)->entry;
	auto_free char *path = xasprintf("%.*s", path_len(entry), (const char *)entry->name.data);

	if (entry->name_dir && chdir(entry->name_dir))
		return fail_errno("cannot enter %s", entry->name_dir);
	return unlink(path) ? fail_errno("cannot remove %s", path) : 0;
}

void unix_name_undo(struct unix_node *node)
{
	if (node->named && unix_in_child(unlink_path, node))
		pr_warn("the name of a unix socket is left behind");
	node->named = false;
}
