#include <sys/stat.h>

#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc = "Line settings, speeds, control characters, window size and permissions of a pty";
const char *test_author = "The criu team";

static struct pty_pair pty;

static int get(struct termios *settings, struct winsize *size, struct stat *st)
{
	memset(settings, 0, sizeof(*settings));
	return tcgetattr(pty.slave, settings) || ioctl(pty.master, TIOCGWINSZ, size) || fstat(pty.slave, st);
}

int main(int argc, char **argv)
{
	struct winsize size = { .ws_row = 31, .ws_col = 77, .ws_xpixel = 640, .ws_ypixel = 65535 }, new_size;
	struct termios settings, new;
	struct stat st, new_st;

	test_init(argc, argv);
	if (pty_open_pair(&pty) || tcgetattr(pty.slave, &settings))
		return pr_perror("pty");
	settings.c_iflag = INLCR | IXON | IUTF8 | PARMRK;
	settings.c_oflag = OPOST | OCRNL | XTABS;
	settings.c_lflag = ICANON | ECHOCTL | NOFLSH | TOSTOP;
	for (size_t i = 0; i < NCCS; i++)
		settings.c_cc[i] = 200 - i;
	settings.c_cc[VKILL] = _POSIX_VDISABLE;
	cfsetospeed(&settings, B9600);
	cfsetispeed(&settings, B1200);
	if (tcsetattr(pty.slave, TCSANOW, &settings) || ioctl(pty.slave, TIOCSWINSZ, &size) ||
	    fchmod(pty.slave, 0640) || get(&settings, &size, &st))
		return pr_perror("settings");

	test_daemon();
	test_waitsig();

	if (get(&new, &new_size, &new_st))
		return fail("settings can't be read");
	if (memcmp(&settings, &new, sizeof(new)))
		return fail("iflag %#x was %#x, oflag %#x was %#x, cflag %#x was %#x, lflag %#x was %#x", new.c_iflag,
			    settings.c_iflag, new.c_oflag, settings.c_oflag, new.c_cflag, settings.c_cflag, new.c_lflag,
			    settings.c_lflag);
	if (memcmp(&size, &new_size, sizeof(size)))
		return fail("window of %ux%u", new_size.ws_row, new_size.ws_col);
	if (st.st_rdev != new_st.st_rdev || st.st_mode != new_st.st_mode || st.st_uid != new_st.st_uid ||
	    st.st_gid != new_st.st_gid)
		return fail("device %#lx mode %o user %u group %u", (long)new_st.st_rdev, new_st.st_mode, new_st.st_uid,
			    new_st.st_gid);
	pass();
	return 0;
}
