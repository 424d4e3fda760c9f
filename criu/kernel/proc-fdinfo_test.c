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

static void test_watches(void)
{
	static const char text[] =
		COMMON "inotify wd:309 ino:1 sdev:16 mask:2 ignored_mask:0 fhandle-bytes:c fhandle-type:81 "
		       "f_handle:010000000000000001000000\n"
		       "inotify wd:1 ino:ffffffffffffffff sdev:fe00000 mask:84000fff ignored_mask:0 \n";
	static const char *const bad[] = {
		"inotify wd:0 ino:1 sdev:1 mask:2 ignored_mask:0\n",
		"inotify wd:80000000 ino:1 sdev:1 mask:2 ignored_mask:0\n",
		"inotify wd:1 ino:1 sdev:100000000 mask:2 ignored_mask:0\n",
		"inotify wd:1 ino:1 mask:2 ignored_mask:0\n",
		"inotify wd:1 ino:1 sdev:1 mask:x ignored_mask:0\n",
		"inotify wd:1 ino:1 sdev:1 mask:1 ignored_mask:0 fhandle-bytes:1\n",
		"inotify wd:1 ino:1 sdev:1 mask:1 ignored_mask:0 fhandle-bytes:2 fhandle-type:1 f_handle:ab\n",
		"inotify wd:1 ino:1 sdev:1 mask:1 ignored_mask:0 fhandle-bytes:2 fhandle-type:1 f_handle:abc\n",
		"inotify wd:1 ino:1 sdev:1 mask:1 ignored_mask:0 fhandle-bytes:1 fhandle-type:1 f_handle:abc\n",
		"inotify wd:1 ino:1 sdev:1 mask:1 ignored_mask:0 fhandle-bytes:1 fhandle-type:1 f_handle:a",
		"inotify wd:1 ino:1 sdev:1 mask:1 ignored_mask:0 fhandle-bytes:81 fhandle-type:1 f_handle:ab\n",
		"inotify wd:1 ino:1 sdev:1 mask:1 ignored_mask:0",
	};
	proc_watches watches = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(proc_parse_watches(bad[i], &watches), -EINVAL);
	CHECK_EQ(proc_parse_watches(COMMON, &watches), 0);
	CHECK_EQ(watches.n, 0);
	CHECK_EQ(proc_parse_watches(text, &watches), 0);
	if (CHECK_EQ(watches.n, 2)) {
		CHECK_EQ(watches.data[0].wd, 0x309);
		CHECK_EQ(watches.data[0].handle_bytes, 12);
		CHECK_EQ(watches.data[0].handle_type, 0x81);
		CHECK(!memcmp(watches.data[0].handle, "\1\0\0\0\0\0\0\0\1\0\0\0", 12));
		CHECK_EQ(watches.data[1].ino, UINT64_MAX);
		CHECK_EQ(watches.data[1].dev, 0xfe00000);
		CHECK_EQ(watches.data[1].mask, 0x84000fff);
		CHECK_EQ(watches.data[1].handle_bytes, 0);
	}
	VEC_FREE(&watches);
	/* Cut within the first watch. */
	for (size_t n = sizeof(COMMON) + 8; n < sizeof(COMMON) + 100; n++) {
		auto_free char *cut = xasprintf("%.*s", (int)n, text);

		CHECK_EQ(proc_parse_watches(cut, &watches), -EINVAL);
	}
}

static void test_pidfd(void)
{
	static const char *const bad[] = { "",	       COMMON,	     "Pid:\n",	    "Pid:\t-2\n", "Pid:\t2147483648\n",
					   "Pid:\t12", "Pid:\t1x\n", "NSpid:\t12\n" };
	pid_t pid = 99;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(proc_parse_pidfd(bad[i], &pid), -EINVAL);
	CHECK_EQ(pid, 99);
	CHECK_EQ(proc_parse_pidfd(COMMON "Pid:\t1234\nNSpid:\t1234\t1\n", &pid), 0);
	CHECK_EQ(pid, 1234);
	CHECK_EQ(proc_parse_pidfd(COMMON "Pid:\t-1\n", &pid), 0);
	CHECK_EQ(pid, -1);
}

int main(void)
{
	test_pidfd();
	test_watches();
	test_timerfd();
	return test_end();
}
