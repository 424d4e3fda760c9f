#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"

const char *test_doc = "Memfd seals: every combination keeps its seals, its content, and is enforced";

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define BASE_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define COMBOS	   16
#define SIZE	   (2 * PG + 7)

static int check(int fd, int seals)
{
	char data[SIZE];

	if (fcntl(fd, F_GET_SEALS) != seals)
		return pr_err("seals are %#x instead of %#x\n", fcntl(fd, F_GET_SEALS), seals);
	if (pread(fd, data, SIZE, 0) != SIZE || pattern_bad(data, SIZE, seals) >= 0 || lseek(fd, 0, SEEK_END) != SIZE)
		return pr_err("content changed\n");
	if ((pwrite(fd, data, 1, 0) != 1) != !!(seals & F_SEAL_WRITE))
		return pr_err("wrong result of a write\n");
	if ((ftruncate(fd, SIZE + 1) != 0) != !!(seals & F_SEAL_GROW))
		return pr_err("wrong result of growing\n");
	if (!(seals & F_SEAL_GROW) && !(seals & F_SEAL_SHRINK) && ftruncate(fd, SIZE))
		return pr_perror("shrink");
	if ((seals & F_SEAL_SHRINK) && !ftruncate(fd, SIZE - 1))
		return pr_err("a sealed memfd could be shrunk\n");
	if ((fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0) != !!(seals & F_SEAL_SEAL))
		return pr_err("wrong result of sealing\n");
	return 0;
}

int main(int argc, char **argv)
{
	int fds[COMBOS], future, none, i;
	char data[SIZE], *map, *ro;

	test_init(argc, argv);

	for (i = 0; i < COMBOS; i++) {
		fds[i] = memfd_create("sealed", MFD_ALLOW_SEALING);
		pattern_fill(data, SIZE, i);
		if (fds[i] < 0 || write(fds[i], data, SIZE) != SIZE || fcntl(fds[i], F_ADD_SEALS, i))
			return pr_perror("memfd %d", i);
	}
	/* A read-only shared mapping of a write-sealed one, and a writable mapping older than the seal. */
	ro = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fds[BASE_SEALS], 0);
	future = memfd_create("future", MFD_ALLOW_SEALING);
	if (ro == MAP_FAILED || future < 0 || ftruncate(future, PG))
		return pr_perror("memfd");
	map = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0);
	if (map == MAP_FAILED || fcntl(future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE))
		return pr_perror("future write seal");
	pattern_fill(map, PG, 99);
	/* Without MFD_ALLOW_SEALING a memfd is born with the seal on seals. */
	none = memfd_create("no sealing", 0);
	if (none < 0 || fcntl(none, F_GET_SEALS) != F_SEAL_SEAL)
		return pr_perror("memfd without sealing");

	test_daemon();
	test_waitsig();

	for (i = 0; i < COMBOS; i++)
		if (i != BASE_SEALS && check(fds[i], i))
			return fail("memfd with seals %#x", i);
	if (pattern_bad(ro, SIZE, BASE_SEALS) >= 0 || map_is_fd(ro, fds[BASE_SEALS]) != 1)
		return fail("mapping of the sealed memfd changed");
	if (!mprotect(ro, PG, PROT_READ | PROT_WRITE))
		return fail("mapping of the sealed memfd became writable");
	if (check(fds[BASE_SEALS], BASE_SEALS))
		return fail("memfd with all seals");
	if (fcntl(future, F_GET_SEALS) != F_SEAL_FUTURE_WRITE || pattern_bad(map, PG, 99) >= 0)
		return fail("memfd with the future-write seal changed");
	pattern_fill(map, PG, 98);
	if (pread(future, data, PG, 0) != (ssize_t)PG || pattern_bad(data, PG, 98) >= 0)
		return fail("the older mapping is not the memfd");
	if (pwrite(future, "x", 1, 0) >= 0 ||
	    mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0) != MAP_FAILED)
		return fail("the future-write seal is not enforced");
	if (fcntl(none, F_GET_SEALS) != F_SEAL_SEAL)
		return fail("a memfd without sealing can be sealed");

	pass();
	return 0;
}
