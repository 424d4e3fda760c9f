/*
 * Orderly ends: a program that must not be torn off in the middle blocks the
 * signals that ask it to end, and looks for them where it can stop.
 */
#ifndef CRIU_UTIL_INTERRUPT_H
#define CRIU_UTIL_INTERRUPT_H

#include <signal.h>

#include "util/macros.h"

/** interrupt_signals - SIGHUP, SIGINT, SIGTERM. */
void interrupt_signals(sigset_t *ret);

/** interrupt_pending - -EINTR, logged, if one of them waits (blocked) to be looked at; else 0. */
int must_check interrupt_pending(void);

#endif
