#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "A deep main stack: every frame is intact and the stack still grows";

#define FRAMES	    600
#define FRAMES_MORE 300
#define FRAME_BYTES 8192

/* Goes down to the given depth, waits there, and checks each frame on the way up. */
static __attribute__((noinline)) int descend(int depth, int wait_at, int last)
{
	char frame[FRAME_BYTES];
	char *volatile self = frame;
	int bad = 0;

	pattern_fill(frame, sizeof(frame), depth);
	if (depth == wait_at) {
		test_daemon();
		test_waitsig();
	}
	if (depth < last)
		bad = descend(depth + 1, wait_at, last);
	if (self != frame || pattern_bad(frame, sizeof(frame), depth) >= 0) {
		pr_err("frame %d changed\n", depth);
		bad++;
	}
	return bad;
}

int main(int argc, char **argv)
{
	static struct map_line before, after;

	test_init(argc, argv);

	if (map_find_named("[stack]", &before))
		return pr_err("no [stack]\n");
	if (descend(0, FRAMES, FRAMES + FRAMES_MORE))
		return fail("stack frames changed");
	if (map_find_named("[stack]", &after))
		return fail("no [stack] after restore");
	if (after.end != before.end || strcmp(after.perms, before.perms) ||
	    after.start > before.start - FRAMES * FRAME_BYTES + 64 * PG)
		return fail("stack is %lx-%lx %s, was %lx-%lx %s", after.start, after.end, after.perms, before.start,
			    before.end, before.perms);
	if (map_has_flag((void *)(after.end - 1), "gd") != 1)
		return fail("the stack does not grow down any more");

	pass();
	return 0;
}
