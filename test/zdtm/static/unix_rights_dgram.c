#include "zdtmtst.h"
#include "unixprop.h"

#include <sys/stat.h>

const char *test_doc = "Descriptors on their way in datagrams and records, empty ones and full ones";

static const int types[] = { SOCK_DGRAM, SOCK_SEQPACKET };

static int many[RIGHTS_MAX];

static int same_pipe(int a, int b)
{
	struct stat st_a, st_b;

	return !fstat(a, &st_a) && !fstat(b, &st_b) && st_a.st_ino == st_b.st_ino;
}

int main(int argc, char **argv)
{
	int pairs[2][2], ends[2][2], got[RIGHTS_MAX], right;

	test_init(argc, argv);

	for (int i = 0; i < 2; i++) {
		if (socketpair(AF_UNIX, types[i], 0, pairs[i]) || pipe(ends[i]))
			return pr_perror("socketpair");
		for (int k = 0; k < RIGHTS_MAX; k++)
			many[k] = ends[i][k % 2];
		/* An empty record is the end of a SOCK_SEQPACKET connection to who does not know better. */
		if (send_right(pairs[i][0], 0, i ? 1 : 0, ends[i][0]) || send_sequence(pairs[i][0], 1, 30) ||
		    send_rights(pairs[i][0], 31, 100, many, RIGHTS_MAX) || send_sequence(pairs[i][0], 131, 1))
			return pr_perror("sendmsg");
		close(ends[i][0]);
	}

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 2; i++) {
		right = recv_right(pairs[i][1], 0, i ? 1 : 0);
		if (right < 0 || !carries(ends[i][1], right))
			return fail("the first descriptor of type %d", types[i]);
		if (recv_sequence(pairs[i][1], 1, 30, 0) || recv_rights(pairs[i][1], 31, 100, got, RIGHTS_MAX))
			return fail("many descriptors of type %d", types[i]);
		for (int k = 0; k < RIGHTS_MAX; k++)
			if (!same_pipe(got[k], right))
				return fail("descriptor %d is another one", k);
		if (!carries(got[1], got[RIGHTS_MAX - 1]) || recv_sequence(pairs[i][1], 131, 1, 0) ||
		    !is_empty(pairs[i][1]))
			return fail("what is left of type %d", types[i]);
	}

	pass();
	return 0;
}
