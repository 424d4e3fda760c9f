/* Telling terminals by their numbers. */
#ifndef CRIU_FILES_TTY_H
#define CRIU_FILES_TTY_H

#include <sys/types.h>

#include "images/tty.pb-c.h"

/** tty_nr_decode - device number from the tty_nr field of /proc/PID/stat. */
dev_t tty_nr_decode(int tty_nr);

/** tty_type_of - how images call a terminal with this device number; UNKNOWN for what is none. */
TtyType tty_type_of(dev_t rdev);

#endif
