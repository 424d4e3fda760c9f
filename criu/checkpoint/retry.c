#include <time.h>

#include "checkpoint/retry.h"
#include "util/interrupt.h"
#include "util/log.h"

/* Less than half a second in all: a task that is about to do something has done it by then. */
static const unsigned int waits_ms[] = { 5, 20, 80, 320 };

bool retry_left(unsigned int tries)
{
	return tries <= ARRAY_SIZE(waits_ms);
}

int retry_wait(unsigned int tries)
{
	const struct timespec ts = { .tv_nsec = waits_ms[tries - 1] * 1000000L };

	pr_info("the tasks run on for %u ms", waits_ms[tries - 1]);
	nanosleep(&ts, NULL);
	return interrupt_pending();
}
