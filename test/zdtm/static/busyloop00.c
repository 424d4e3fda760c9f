#include "zdtmtst.h"

const char *test_doc = "A computation that never enters the kernel goes on where it was";
const char *test_author = "The criu team";

int main(int argc, char **argv)
{
	uint64_t state = 1, steps = 0, again = 1;

	test_init(argc, argv);

	test_daemon();
	while (test_go()) {
		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		steps++;
	}

	for (uint64_t i = 0; i < steps; i++)
		again = again * 6364136223846793005ULL + 1442695040888963407ULL;
	if (again != state)
		return fail("after %lu steps it is %#lx instead of %#lx", steps, state, again);
	pass();
	return 0;
}
