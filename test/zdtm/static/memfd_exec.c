#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "taskutil.h"

const char *test_doc =
	"Memfds that may be executed and that never may (MFD_EXEC, MFD_NOEXEC_SEAL), and one given other modes";

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

static const struct {
	unsigned int flags;
	int mode, seals; /* mode 0: as it comes */
} kinds[] = {
	{ MFD_EXEC, 0, F_SEAL_SEAL },
	{ MFD_EXEC | MFD_ALLOW_SEALING, 0, 0 },
	{ MFD_NOEXEC_SEAL, 0, F_SEAL_EXEC },
	{ MFD_EXEC | MFD_ALLOW_SEALING, 0640, F_SEAL_EXEC },
	{ MFD_EXEC | MFD_ALLOW_SEALING, 0555, F_SEAL_EXEC | F_SEAL_GROW },
};
#define NR ((int)ARRAY_SIZE(kinds))

int main(int argc, char **argv)
{
	int fds[NR], seals[NR];
	struct stat before[NR], st;
	char data[100];

	test_init(argc, argv);

	for (int i = 0; i < NR; i++) {
		fds[i] = memfd_create("exec", kinds[i].flags);
		if (fds[i] < 0 && errno == EINVAL) {
			skip("memfds have no seal of execution here (Linux 6.3)");
			return skipped_test();
		}
		pattern_fill(data, sizeof(data), i);
		if (fds[i] < 0 || write(fds[i], data, sizeof(data)) != sizeof(data) ||
		    (kinds[i].mode && fchmod(fds[i], kinds[i].mode)) ||
		    (i > 2 && fcntl(fds[i], F_ADD_SEALS, kinds[i].seals)))
			return pr_perror("memfd %d", i);
		seals[i] = fcntl(fds[i], F_GET_SEALS);
		if ((seals[i] & kinds[i].seals) != kinds[i].seals || fstat(fds[i], &before[i]))
			return pr_err("memfd %d has seals %#x\n", i, seals[i]);
	}

	test_daemon();
	test_waitsig();

	for (int i = 0; i < NR; i++) {
		if (fcntl(fds[i], F_GET_SEALS) != seals[i])
			return fail("seals of memfd %d were %#x, are %#x", i, seals[i], fcntl(fds[i], F_GET_SEALS));
		if (fstat(fds[i], &st) || st.st_mode != before[i].st_mode)
			return fail("mode of memfd %d was %o, is %o", i, before[i].st_mode, st.st_mode);
		if (pread(fds[i], data, sizeof(data), 0) != sizeof(data) || pattern_bad(data, sizeof(data), i) >= 0)
			return fail("content of memfd %d", i);
		if (!!fchmod(fds[i], before[i].st_mode ^ 0100) != !!(seals[i] & F_SEAL_EXEC))
			return fail("memfd %d: wrong result of changing who may execute", i);
		/* As it was, for another round. */
		if (!(seals[i] & F_SEAL_EXEC) && fchmod(fds[i], before[i].st_mode))
			return pr_perror("fchmod");
	}

	pass();
	return 0;
}
