/*
 * Options of sockets, at level SOL_SOCKET: the same for every kind of socket.
 */
#ifndef CRIU_FILES_SOCK_OPTS_H
#define CRIU_FILES_SOCK_OPTS_H

#include "files/files.h"

/**
 * sock_opts_dump - options of @desc, in the model's arena
 * Refuses what no image can keep: programs and what is received that nobody saves.
 */
int must_check sock_opts_dump(struct files_dump *ctx, const struct file_desc *desc, SkOptsEntry **ret);

int must_check sock_opts_validate(const SkOptsEntry *opts);

/**
 * sock_opts_restore - the last thing to be done with a socket: what is queued at it needs room that these may not give
 * @fd: borrowed
 */
int must_check sock_opts_restore(const SkOptsEntry *opts, int fd);

/**
 * sock_fresh - a new socket of the kind of @fd, to tell which options were changed (sock-more.c)
 * Return: a descriptor that is kept until the dump ends; -errno, logged.
 */
int must_check sock_fresh(struct files_dump *ctx, int fd);

/** sock_more_dump, _validate, _restore - the options that mainline's message has no field for (sock-more.c). */
int must_check sock_more_dump(struct files_dump *ctx, const struct file_desc *desc, SkOptsEntry *opts);
int must_check sock_more_validate(const SkOptsEntry *opts);
int must_check sock_more_restore(const SkOptsEntry *opts, int fd);

/** sock_refuse_netns - refuse a socket of another network namespace than criu's. */
int must_check sock_refuse_netns(struct files_dump *ctx, const struct file_desc *desc);

/** sock_option - an option of type int at level SOL_SOCKET; -1 if there is none. */
int sock_option(int fd, int name);

#endif
