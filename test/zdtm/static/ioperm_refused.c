#include <sys/io.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A task that has opened an I/O port is refused, and keeps it";
const char *test_author = "The criu team";

#define PORT 0x80 /* where a PC shows its progress at start; reading it does nothing */

int main(int argc, char **argv)
{
	test_init(argc, argv);
	if (ioperm(PORT, 1, 1)) {
		skip("no I/O ports: %s", strerror(errno));
		return skipped_test();
	}

	test_daemon();
	test_waitsig();

	inb(PORT); /* or SIGSEGV */
	pass();
	return 0;
}
