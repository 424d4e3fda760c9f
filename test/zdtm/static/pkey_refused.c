#include <sys/mman.h>

#include "zdtmtst.h"

#include "memprop.h"
#include "taskutil.h"

const char *test_doc = "Memory with a protection key is refused, and goes on to be protected by it";
const char *test_author = "The criu team";

int main(int argc, char **argv)
{
	char *map;
	int key;

	test_init(argc, argv);
	map = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return pr_perror("mmap");
	key = pkey_alloc(0, PKEY_DISABLE_WRITE);
	if (key < 0 && (errno == ENOSYS || errno == EINVAL || errno == ENOSPC)) {
		skip("no memory protection keys");
		return skipped_test();
	}
	pattern_fill(map, PG, 1);
	if (key < 0 || pkey_mprotect(map, PG, PROT_READ | PROT_WRITE, key))
		return pr_perror("protection key");

	test_daemon();
	test_waitsig();

	if (pkey_get(key) != PKEY_DISABLE_WRITE || pattern_bad(map, PG, 1) >= 0 || pkey_set(key, 0))
		return fail("the key is not what it was");
	pattern_fill(map, PG, 2);
	if (pkey_free(key))
		return fail("the key was not allocated");
	pass();
	return 0;
}
