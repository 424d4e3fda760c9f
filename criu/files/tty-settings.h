/* Line settings and size of terminals, as images have them. */
#ifndef CRIU_FILES_TTY_SETTINGS_H
#define CRIU_FILES_TTY_SETTINGS_H

#include <stdbool.h>

#include "image/model.h"
#include "util/macros.h"

/**
 * tty_settings_dump - the line settings of the terminal; NULL if it is hung up
 * tty_locked_dump - which of them are locked against change, ioctl_tty(2) TIOCGLCKTRMIOS
 * tty_size_dump - its window size
 * @fd: any description of it; of a pty master: those of the slave
 */
TermiosEntry *tty_settings_dump(struct model *model, int fd);
TermiosEntry *tty_locked_dump(struct model *model, int fd);
WinsizeEntry *tty_size_dump(struct model *model, int fd);

/** tty_settings_are_whole - can @entry, of an image, be settings? */
bool tty_settings_are_whole(const TermiosEntry *entry);

/** tty_settings_restore, tty_locked_restore, tty_size_restore - the same back; -errno, not logged. */
int must_check tty_settings_restore(const TermiosEntry *entry, int fd);
int must_check tty_locked_restore(const TermiosEntry *entry, int fd);
int must_check tty_size_restore(const WinsizeEntry *entry, int fd);

#endif
