#include <errno.h>
#include <string.h>

#include "util/interrupt.h"
#include "util/log.h"

void interrupt_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGHUP);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGTERM);
}

int interrupt_pending(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigismember(&pending, signals[i]))
			return fail(EINTR, "asked to end (%s)", strsignal(signals[i]));
	return 0;
}
