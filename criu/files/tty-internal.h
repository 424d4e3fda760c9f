/* What the files about terminals share: tty.c, tty-outside.c, tty-external.c, pty-dump.c, pty-make.c, pty-open.c. Nothing else includes it. */
#ifndef CRIU_FILES_TTY_INTERNAL_H
#define CRIU_FILES_TTY_INTERNAL_H

#include <sys/sysmacros.h>

#include "files/files-internal.h"
#include "files/tty.h"

#define TTYAUX_MAJOR  5
#define PTMX_MINOR    2
#define PTY_SLAVE_MIN 136
#define PTY_SLAVE_MAX 143

static inline bool tty_is_ptmx(dev_t rdev)
{
	return rdev == makedev(TTYAUX_MAJOR, PTMX_MINOR);
}

/** pty_index_of - number of the pty whose slave has device number @rdev. */
static inline uint32_t pty_index_of(dev_t rdev)
{
	return ((major(rdev) - PTY_SLAVE_MIN) << 8) + minor(rdev);
}

/* --- dump ------------------------------------------------------------------ */

/**
 * tty_info_new - a new entry of tty-info.img with what is common to all kinds
 * @id: what it is to be called, if that is free
 */
TtyInfoEntry *tty_info_new(struct files_dump *ctx, const struct file_desc *desc, TtyType type, uint32_t id);

/**
 * pty_plan_master, pty_plan_slave - note an end of a pty, or refuse it
 * pty_plan_sessions - controlling terminals that no pty of the tree and no --external accounts for are refused
 */
int must_check pty_plan_master(struct files_dump *ctx, struct file_desc *desc);
int must_check pty_plan_slave(struct files_dump *ctx, struct file_desc *desc);
void pty_plan_sessions(struct files_dump *ctx);

/** pty_resolve - the entry for @desc if it is of a pty that lives in the tree, or is hung up; NULL: it lives outside. */
const TtyInfoEntry *pty_resolve(struct files_dump *ctx, const struct file_desc *desc);

/** pty_dump - note what has to be taken from a pty at the commit. */
int must_check pty_dump(struct files_dump *ctx, const struct file_desc *desc);

/**
 * tty_may_stay_outside - is a terminal that lives outside the tree left behind by --shell-job? Refused if not.
 * tty_outside_info - its entry
 */
bool tty_may_stay_outside(struct files_dump *ctx, const struct file_desc *desc, const char *key);
TtyInfoEntry *tty_outside_info(struct files_dump *ctx, const struct file_desc *desc, TtyType type);

/**
 * tty_external_session - is the terminal of session @leader named with --external? Then its entry says so.
 * tty_external_hint - what to say with --external to keep terminal @rdev
 * tty_external_dev_tty - the entry of a description opened as /dev/tty whose terminal is so named; NULL: it is not one
 */
const char *tty_external_hint(struct arena *arena, dev_t rdev);
bool tty_external_session(struct files_dump *ctx, const struct remote_process *leader);
const TtyInfoEntry *tty_external_dev_tty(struct files_dump *ctx, const struct file_desc *desc);

/* --- restore ---------------------------------------------------------------- */

/** tty_info_of - entry @id of tty-info.img, or NULL. */
const TtyInfoEntry *tty_info_of(const struct model *model, uint32_t id);

/** pty_is_made - is the terminal of @info made anew, as its master is in the images or it was hung up? */
bool pty_is_made(const struct model *model, const TtyInfoEntry *info);

/** pty_open - the description of a master, a slave, or of a slave that was opened as /dev/tty */
int must_check pty_open(struct files_restore *ctx, const FileEntry *entry, const TtyInfoEntry *info,
			struct made_file *ret);

/** pty_slave_fd - a descriptor of the slave that the session @sid has as its terminal; -1: none; borrowed. */
int pty_slave_fd(struct files_restore *ctx, const TtyInfoEntry *info);

/**
 * tty_open_in_session - open /dev/tty, or what else its node was called, where @tty_fd is the controlling terminal
 * @tty_fd: a terminal that no session has
 * Return: a descriptor, close-on-exec, or -errno; -EPERM: another session has it.
 */
int tty_open_in_session(int tty_fd, const struct model *model, const FileEntry *entry, int flags);

/**
 * tty_external_behind - the external terminal that @info, of a /dev/tty, leads to; NULL: none
 * tty_external_fd - the descriptor that the user gave for external terminal @info; borrowed; logged -errno
 * tty_external_make - the description of an external terminal, or of /dev/tty that leads to one
 */
const TtyInfoEntry *tty_external_behind(const struct model *model, const TtyInfoEntry *info);
int must_check tty_external_fd(const struct options *options, const TtyInfoEntry *info);
int must_check tty_external_make(struct files_restore *ctx, const FileEntry *entry, const TtyInfoEntry *info,
				 struct made_file *ret);

/** tty_outside_make, tty_outside_settle - criu's own terminal in place of one that stayed outside. */
int must_check tty_outside_make(struct files_restore *ctx, const TtyInfoEntry *info, int flags, struct made_file *ret);
void tty_outside_settle(struct files_restore *ctx, const TtyInfoEntry *info, int fd);

#endif
