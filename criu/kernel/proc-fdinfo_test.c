/* The lines that single kinds of files have in fdinfo. */
#include <errno.h>

#include "kernel/proc.h"
#include "util/log.h"
#include "util/test.h"

#define COMMON "pos:\t0\nflags:\t02\nmnt_id:\t17\nino:\t1030\n"

static void test_timerfd(void)
{
	static const char text[] = COMMON "clockid: 7\nticks: 18446744073709551615\nsettime flags: 03\n"
					  "it_value: (9223372036, 999999999)\nit_interval: (0, 1)\n";
	static const char *const bad[] = {
		"",
		COMMON,
		"ticks: 1\nsettime flags: 0\nit_value: (0, 0)\nit_interval: (0, 0)\n",
		"clockid: 1\nticks: -1\nsettime flags: 0\nit_value: (0, 0)\nit_interval: (0, 0)\n",
		"clockid: 1\nticks: 1\nsettime flags: 8\nit_value: (0, 0)\nit_interval: (0, 0)\n",
		"clockid: 1\nticks: 1\nsettime flags: 040000000000\nit_value: (0, 0)\nit_interval: (0, 0)\n",
		"clockid: 1\nticks: 1\nsettime flags: 0\nit_value: (0, 1000000000)\nit_interval: (0, 0)\n",
		"clockid: 1\nticks: 1\nsettime flags: 0\nit_value: (9223372036854775808, 0)\nit_interval: (0, 0)\n",
		"clockid: 1\nticks: 1\nsettime flags: 0\nit_value: (0 0)\nit_interval: (0, 0)\n",
		"clockid: 1\nticks: 1\nsettime flags: 0\nit_value: (0, 0)\nit_interval: 0, 0\n",
		"clockid: 1\nticks: 1\nticks: 1\nsettime flags: 0\nit_value: (0, 0)\nit_interval: (0, 0)\n",
	};
	struct proc_timerfd timer = { .clock_id = 99 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(proc_parse_timerfd(bad[i], &timer), -EINVAL);
	CHECK_EQ(timer.clock_id, 99);
	CHECK_EQ(proc_parse_timerfd(text, &timer), 0);
	CHECK_EQ(timer.clock_id, 7);
	CHECK_EQ(timer.ticks, UINT64_MAX);
	CHECK_EQ(timer.settime_flags, 3);
	CHECK_EQ(timer.value.tv_sec, 9223372036);
	CHECK_EQ(timer.value.tv_nsec, 999999999);
	CHECK_EQ(timer.interval.tv_sec, 0);
	CHECK_EQ(timer.interval.tv_nsec, 1);
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		auto_free char *cut = xasprintf("%.*s", (int)n, text);

		CHECK_EQ(proc_parse_timerfd(cut, &timer), -EINVAL);
	}
}

int main(void)
{
	test_timerfd();
	return test_end();
}
