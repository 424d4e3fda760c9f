#ifndef ZDTM_SOCK_REFUSED_H
#define ZDTM_SOCK_REFUSED_H

/* A socket of a kind that can't be dumped: the program has the socket afterwards as before. */

#include <errno.h>
#include <sys/socket.h>

#include "taskutil.h"
#include "zdtmtst.h"

/* What a kernel or its settings that don't have it say. */
static inline bool sock_is_missing(void)
{
	return errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT || errno == EAFNOSUPPORT || errno == ENOPROTOOPT ||
	       errno == EACCES || errno == ENOENT;
}

static inline int sock_refused_test(int argc, char **argv, int domain, int type, int protocol)
{
	int sk, now;
	socklen_t bytes = sizeof(now);

	test_init(argc, argv);
	sk = socket(domain, type, protocol);
	if (sk < 0 && sock_is_missing()) {
		skip("no socket(%d, %d, %d) here: %s", domain, type, protocol, strerror(errno));
		return skipped_test();
	}
	if (sk < 0)
		return pr_perror("socket");

	test_daemon();
	test_waitsig();

	if (getsockopt(sk, SOL_SOCKET, SO_DOMAIN, &now, &bytes) || now != domain)
		return fail("the socket is of domain %d", now);
	pass();
	return 0;
}

#endif
