/* What all fdinfo files have, and the lines of single kinds of files. */
#include <errno.h>
#include <fcntl.h>

#include "kernel/proc.h"
#include "kernel/test-parse.h"
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

static void test_fdinfo(void)
{
	static const char text[] = "pos:\t4096\nflags:\t02100002\nmnt_id:\t29\nino:\t3921\n"
				   "lock:\t1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF\n"
				   "lock:\t2: POSIX  ADVISORY  READ 359 00:13:11691 0 9\n"
				   "tfd:        5 events:       1b data: ffff  pos:0 ino:61af sdev:7\nino:\tffff\n";
	static const char *const bad[] = {
		"",
		"pos:\t1\n",
		"flags:\t02\n",
		"pos:\tx\nflags:\t02\n",
		"pos:\t1\nflags:\t9\n",
		"pos:\t1\nflags:\t40000000000\n",
		"pos:\t1\nflags:\t02\nmnt_id:\t99999999999\n",
		"pos:\t1\nflags:\t02\nlock:\t1: FLOCK  ADVISORY  WRITE 1 0:1:2 0 EOF\nlock:\t2:\n"
	};
	struct proc_fdinfo info;

	if (CHECK_EQ(proc_parse_fdinfo(text, &info), 0)) {
		CHECK_EQ(info.pos, 4096);
		CHECK_EQ(info.flags, O_RDWR | O_CLOEXEC | 0100000);
		CHECK_EQ(info.mnt_id, 29);
		CHECK_EQ(info.ino, 3921);
		if (CHECK_EQ(info.locks.n, 2)) {
			CHECK_EQ(info.locks.data[0].kind, PROC_LOCK_FLOCK);
			CHECK_EQ(info.locks.data[1].kind, PROC_LOCK_POSIX);
			CHECK_EQ(info.locks.data[1].end, 9);
		}
		CHECK_STR(info.text, text);
		proc_fdinfo_free(&info);
	}
	if (CHECK_EQ(proc_parse_fdinfo("pos:\t0\nflags:\t0\n", &info), 0)) {
		CHECK_EQ(info.mnt_id, -1);
		CHECK_EQ(info.ino, 0);
		proc_fdinfo_free(&info);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(proc_parse_fdinfo(bad[i], &info), -EINVAL);
	CHECK_EQ(PREFIXES_ACCEPTED(text, struct proc_fdinfo, proc_parse_fdinfo, proc_fdinfo_free), 6);
	POKE(text, struct proc_fdinfo, proc_parse_fdinfo, proc_fdinfo_free);
}

static void test_fanotify(void)
{
	struct proc_fanotify fanotify = { 0 };

	CHECK_EQ(proc_parse_fanotify("pos:\t0\nflags:\t02\nfanotify flags:210 event-flags:8000\n"
				     "fanotify sdev:1b mflags:0 mask:8 ignored_mask:0\n"
				     "fanotify mnt_id:1e mflags:40 mask:8 ignored_mask:20\n"
				     "fanotify mnt_ns:7 mflags:0 mask:8 ignored_mask:0\n"
				     "fanotify ino:13 sdev:fe00000 mflags:440 mask:0 ignored_mask:48000020 "
				     "fhandle-bytes:2 fhandle-type:1 f_handle:13ff\n"
				     "fanotify ino:14 sdev:1b mflags:0 mask:1 ignored_mask:0\n",
				     &fanotify),
		 0);
	CHECK_EQ(fanotify.flags, 0x210);
	CHECK_EQ(fanotify.event_flags, 0x8000);
	if (CHECK_EQ(fanotify.marks.n, 5)) {
		const struct proc_mark *marks = fanotify.marks.data;

		CHECK(marks[0].kind == PROC_MARK_FILESYSTEM && marks[0].watch.dev == 0x1b && marks[0].watch.mask == 8);
		CHECK(marks[1].kind == PROC_MARK_MOUNT && marks[1].mnt_id == 0x1e && marks[1].mflags == 0x40);
		CHECK_EQ(marks[1].watch.ignored_mask, 0x20);
		CHECK_EQ(marks[2].kind, PROC_MARK_OTHER);
		CHECK(marks[3].kind == PROC_MARK_INODE && marks[3].watch.ino == 0x13 && marks[3].mflags == 0x440);
		CHECK(marks[3].watch.ignored_mask == 0x48000020 && marks[3].watch.handle_bytes == 2);
		CHECK(marks[3].watch.handle[1] == 0xff);
		CHECK(marks[4].kind == PROC_MARK_INODE && !marks[4].watch.handle_bytes);
	}
	VEC_FREE(&fanotify.marks);
	CHECK_EQ(proc_parse_fanotify("pos:\t0\n", &fanotify), -EINVAL);
	CHECK_EQ(proc_parse_fanotify("fanotify flags:0 event-flags:0\nfanotify sdev:1b mflags:0 mask:8\n", &fanotify),
		 -EINVAL);
	CHECK_EQ(proc_parse_fanotify("fanotify flags:0 event-flags:0\nfanotify ino:1 sdev:1 mflags:0 mask:0 "
				     "ignored_mask:0 fhandle-bytes:ff fhandle-type:1 f_handle:00\n",
				     &fanotify),
		 -EINVAL);
	CHECK_EQ(proc_parse_fanotify("fanotify flags:0 event-flags:0\nfanotify flags:0 event-flags:0\n", &fanotify),
		 -EINVAL);
}

int main(void)
{
	test_parse_quietly();
	test_fdinfo();
	test_pidfd();
	test_watches();
	test_timerfd();
	test_fanotify();
	return test_end();
}
