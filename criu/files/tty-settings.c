/*
 * Line settings, locks on them, window size: all of it can be read and set
 * through any description, that of a pty's slave also through the master.
 *
 * Control characters: mainline copies the kernel's bytes into the first words of the
 * message, four in each, and what it has in memory behind them. We do so, too,
 * with zeros. Images with one character a word are understood.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "files/tty-settings.h"

/* Words that hold the characters when they are packed. */
#define PACKED_WORDS ((NCCS + sizeof(uint32_t) - 1) / sizeof(uint32_t))

/* --- dump ------------------------------------------------------------------ */

static TermiosEntry *new_entry(struct model *model, const struct termios2 *settings)
{
	TermiosEntry *entry = model_new(model, TermiosEntry, termios_entry__init);

	entry->c_iflag = settings->c_iflag;
	entry->c_oflag = settings->c_oflag;
	entry->c_cflag = settings->c_cflag;
	entry->c_lflag = settings->c_lflag;
	entry->c_line = settings->c_line;
	entry->c_ispeed = settings->c_ispeed;
	entry->c_ospeed = settings->c_ospeed;
	entry->n_c_cc = NCCS;
	entry->c_cc = arena_array(model->arena, uint32_t, NCCS);
	memcpy(entry->c_cc, settings->c_cc, NCCS);
	return entry;
}

TermiosEntry *tty_settings_dump(struct model *model, int fd)
{
	struct termios2 settings;

	return ioctl(fd, TCGETS2, &settings) ? NULL : new_entry(model, &settings);
}

/* The kernel has no speeds in these. */
TermiosEntry *tty_locked_dump(struct model *model, int fd)
{
	struct termios2 locked = { 0 };

	return ioctl(fd, TIOCGLCKTRMIOS, &locked) ? NULL : new_entry(model, &locked);
}

WinsizeEntry *tty_size_dump(struct model *model, int fd)
{
	WinsizeEntry *entry = model_new(model, WinsizeEntry, winsize_entry__init);
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size))
		return NULL;
	entry->ws_row = size.ws_row;
	entry->ws_col = size.ws_col;
	entry->ws_xpixel = size.ws_xpixel;
	entry->ws_ypixel = size.ws_ypixel;
	return entry;
}

/* --- restore ---------------------------------------------------------------- */

bool tty_settings_are_whole(const TermiosEntry *entry)
{
	return entry->n_c_cc >= NCCS && entry->c_line <= UINT8_MAX;
}

static bool is_packed(const TermiosEntry *entry)
{
	bool behind = false;

	for (size_t i = 0; i < NCCS; i++) {
		if (entry->c_cc[i] > UINT8_MAX)
			return true;
		behind |= i >= PACKED_WORDS && entry->c_cc[i];
	}
	return !behind;
}

static struct termios2 settings_of(const TermiosEntry *entry)
{
	struct termios2 settings = {
		.c_iflag = entry->c_iflag,
		.c_oflag = entry->c_oflag,
		.c_cflag = entry->c_cflag,
		.c_lflag = entry->c_lflag,
		.c_line = entry->c_line,
		.c_ispeed = entry->c_ispeed,
		.c_ospeed = entry->c_ospeed,
	};

	if (is_packed(entry))
		memcpy(settings.c_cc, entry->c_cc, NCCS);
	else
		for (size_t i = 0; i < NCCS; i++)
			settings.c_cc[i] = entry->c_cc[i];
	return settings;
}

/* Images of mainline have no speeds beside those of the flags. */
int tty_settings_restore(const TermiosEntry *entry, int fd)
{
	struct termios2 settings = settings_of(entry);
	bool has_speeds = settings.c_ispeed || settings.c_ospeed;

	return ioctl(fd, has_speeds ? TCSETS2 : TCSETS, &settings) ? -errno : 0;
}

/* Only root of the initial user namespace may; so what is not locked is not touched. */
int tty_locked_restore(const TermiosEntry *entry, int fd)
{
	struct termios2 locked = settings_of(entry), none = { 0 };

	if (!memcmp(&locked, &none, sizeof(none)))
		return 0;
	return ioctl(fd, TIOCSLCKTRMIOS, &locked) ? -errno : 0;
}

int tty_size_restore(const WinsizeEntry *entry, int fd)
{
	const struct winsize size = {
		.ws_row = entry->ws_row,
		.ws_col = entry->ws_col,
		.ws_xpixel = entry->ws_xpixel,
		.ws_ypixel = entry->ws_ypixel,
	};

	return ioctl(fd, TIOCSWINSZ, &size) ? -errno : 0;
}
