/*
 * Objects a dump leaves to the user: named by key on --external when dumping,
 * given back by key with --inherit-fd fd[N]:KEY when restoring.
 */
#ifndef CRIU_FILES_INHERIT_H
#define CRIU_FILES_INHERIT_H

#include <stdbool.h>

#include "options.h"

struct made_file;

#define INHERIT_KEY_BYTES 64

/* Keys, as users and mainline write them: hexadecimal without 0x, pipes decimal. */
void inherit_key_file(char ret[INHERIT_KEY_BYTES], int mnt_id, uint64_t ino);
void inherit_key_tty(char ret[INHERIT_KEY_BYTES], uint64_t rdev, uint64_t dev);
void inherit_key_socket(char ret[INHERIT_KEY_BYTES], uint32_t ino);
void inherit_key_pipe(char ret[INHERIT_KEY_BYTES], uint32_t pipe_id);

/** inherit_external - was @key given with --external? Compared as exact text. */
bool inherit_external(const struct options *options, const char *key);

/**
 * inherit_take - a descriptor of our own for the inherited @fd
 * Shares its description (ret->inherited) when that has the access mode and blocking mode of
 * @flags, otherwise opens the object anew (sockets and the like can only be shared).
 */
int must_check inherit_take(int fd, int flags, struct made_file *ret);

/** inherit_share - likewise, but always the same description. */
int must_check inherit_share(int fd, struct made_file *ret);

#endif
