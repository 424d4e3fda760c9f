#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "Both ends of empty unix socket pairs of each type talk to each other";

int main(int argc, char **argv)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int pairs[3][2];

	test_init(argc, argv);

	for (int i = 0; i < 3; i++)
		if (socketpair(AF_UNIX, types[i] | (i == 1 ? SOCK_NONBLOCK : 0), 0, pairs[i]))
			return pr_perror("socketpair");

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 3; i++) {
		if (option_of(pairs[i][0], SO_TYPE) != types[i])
			return fail("type %d became %d", types[i], option_of(pairs[i][0], SO_TYPE));
		if (!is_empty(pairs[i][0]) || !is_empty(pairs[i][1]))
			return fail("type %d: something is queued", types[i]);
		if (talk(pairs[i][0], pairs[i][1]))
			return fail("type %d: the ends are not connected", types[i]);
		if (close(pairs[i][0]) || (types[i] != SOCK_DGRAM && !is_at_end(pairs[i][1])))
			return fail("type %d: a closed end is held by somebody else", types[i]);
	}

	pass();
	return 0;
}
