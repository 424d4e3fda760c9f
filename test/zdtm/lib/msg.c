#include <stdarg.h>
#include <time.h>

#include "zdtmtst.h"

int zdtm_seccomp;

void test_msg(const char *format, ...)
{
	char buf[2048];
	int saved_errno = errno;
	size_t off = 0;
	va_list args;
	int len;

	if (!zdtm_seccomp) {
		struct timespec now;
		unsigned day;

		/* Not localtime(): it opens files and maps memory on its first call. */
		clock_gettime(CLOCK_REALTIME, &now);
		day = now.tv_sec % 86400;
		off = snprintf(buf, sizeof(buf), "%02u:%02u:%02u.%03u: %5d: ", day / 3600, day / 60 % 60, day % 60,
			       (unsigned)(now.tv_nsec / 1000000), getpid());
	}

	errno = saved_errno;
	va_start(args, format);
	len = vsnprintf(buf + off, sizeof(buf) - off, format, args);
	va_end(args);
	if (len > 0) {
		off += len;
		if (off >= sizeof(buf))
			off = sizeof(buf) - 1;
		/* One write, so that lines of several processes don't mix. */
		if (write(STDERR_FILENO, buf, off) < 0 && !zdtm_seccomp)
			_exit(1);
	}
	errno = saved_errno;
}
