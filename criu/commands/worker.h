/*
 * A command in a child of its own, watched by the process that was started.
 *
 * The dump holds other people's threads between two instructions of theirs.
 * They heal by themselves if we are killed then, but not without a trace: a scratch mapping
 * stays, and a thread under seccomp that was just lent a system call its filter
 * forbids is killed by the filter. So what users see and kill as "criu" only
 * waits; the worker notices its end (or a request to end) at the next place
 * where everything can be put back.
 */
#ifndef CRIU_COMMANDS_WORKER_H
#define CRIU_COMMANDS_WORKER_H

/**
 * worker_run - run @work in a worker, its SIGHUP, SIGINT and SIGTERM blocked (see util/interrupt.h)
 * Those signals are handed on to it; our death reaches it as SIGTERM.
 * Return: what @work returned; -ECHILD, logged, if the worker was killed.
 */
int worker_run(int (*work)(void *arg), void *arg);

#endif
