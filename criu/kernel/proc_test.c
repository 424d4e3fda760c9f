#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "kernel/proc.h"
#include "kernel/test-parse.h"
#include "util/test.h"

static void free_timers(proc_timers *timers)
{
	VEC_FREE(timers);
}

static void test_stat(void)
{
	static const char rest[] =
		" S 10 4242 4242 34816 -1 4194560 98 0 0 0 1 2 0 0 20 -5 3 0 123456789 2400256 200 "
		"18446744073709551615 "
		"94000000000001 94000000020002 140730000000003 0 0 0 65536 4096 131072 1 0 0 17 1 0 0 0 0 0 "
		"94000000030004 "
		"94000000032005 94000000040006 140730000001007 140730000001018 140730000001029 140730000001030 256\n";
	static const char *const names[] = { "sh", "a b", "x) R 1 (y", ")", "", "(", "new\nline", "sixteen bytes.." };
	char text[1024];
	struct proc_stat stat;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(text, sizeof(text), "4242 (%s)%s", names[i], rest);
		if (CHECK_EQ(proc_parse_stat(text, &stat), 0))
			CHECK_STR(stat.comm, names[i]);
		CHECK_EQ(stat.state, 'S');
		CHECK_EQ(stat.ppid, 10);
	}
	CHECK_EQ(stat.pid, 4242);
	CHECK_EQ(stat.pgid, 4242);
	CHECK_EQ(stat.sid, 4242);
	CHECK_EQ(stat.tty_nr, 34816);
	CHECK_EQ(stat.tty_pgrp, -1);
	CHECK_EQ(stat.flags, 4194560);
	CHECK_EQ(stat.nice, -5);
	CHECK_EQ(stat.start_time, 123456789);
	CHECK_EQ(stat.start_code, 94000000000001);
	CHECK_EQ(stat.end_code, 94000000020002);
	CHECK_EQ(stat.start_stack, 140730000000003);
	CHECK_EQ(stat.start_data, 94000000030004);
	CHECK_EQ(stat.end_data, 94000000032005);
	CHECK_EQ(stat.start_brk, 94000000040006);
	CHECK_EQ(stat.arg_start, 140730000001007);
	CHECK_EQ(stat.arg_end, 140730000001018);
	CHECK_EQ(stat.env_start, 140730000001029);
	CHECK_EQ(stat.env_end, 140730000001030);
	CHECK_EQ(stat.exit_signal, 17);
	CHECK_EQ(stat.exit_code, 256);
	CHECK_EQ(PREFIXES_ACCEPTED(text, struct proc_stat, proc_parse_stat, nothing), 0);
	POKE(text, struct proc_stat, proc_parse_stat, nothing);
}

static const char status_text[] = "Name:\ta\\nTgid:\t7\n"
				  "Umask:\t0027\n"
				  "State:\tS (sleeping)\n"
				  "Tgid:\t4242\n"
				  "Ngid:\t0\n"
				  "Pid:\t4243\n"
				  "PPid:\t10\n"
				  "TracerPid:\t99\n"
				  "Uid:\t1\t2\t3\t4294967294\n"
				  "Gid:\t5\t6\t7\t8\n"
				  "FDSize:\t64\n"
				  "Groups:\t4 24 4294967295 \n"
				  "NStgid:\t4242\t2\n"
				  "NSpid:\t4243\t3\n"
				  "VmPeak:\t    2344 kB\n"
				  "VmLck:\t      64 kB\n"
				  "THP_enabled:\t0\n"
				  "Threads:\t3\n"
				  "SigQ:\t0/95617\n"
				  "SigPnd:\t0000000000000001\n"
				  "ShdPnd:\t0000000000000002\n"
				  "SigBlk:\tfffffffe7ffbfeff\n"
				  "SigIgn:\t0000000000380004\n"
				  "SigCgt:\t000000004b817efb\n"
				  "CapInh:\t0000000000000000\n"
				  "CapPrm:\t000001ffffffffff\n"
				  "CapEff:\t000001fffeffffff\n"
				  "CapBnd:\t000001ffffffffff\n"
				  "CapAmb:\t0000000000000008\n"
				  "NoNewPrivs:\t1\n"
				  "Seccomp:\t2\n"
				  "Seccomp_filters:\t3\n"
				  "Something_new:\twhatever 1 2 3\n"
				  "voluntary_ctxt_switches:\t1\n";

static void test_status(void)
{
	struct proc_status status;

	if (!CHECK_EQ(proc_parse_status(status_text, &status), 0))
		return;
	CHECK_EQ(status.umask, 027);
	CHECK_EQ(status.tgid, 4242);
	CHECK_EQ(status.ppid, 10);
	CHECK_EQ(status.tracer_pid, 99);
	CHECK_EQ(status.uids[0], 1);
	CHECK_EQ(status.uids[3], 4294967294);
	CHECK_EQ(status.gids[3], 8);
	if (CHECK_EQ(status.n_groups, 3))
		CHECK_EQ(status.groups[2], 4294967295);
	CHECK_EQ(status.n_ns_pids, 2);
	CHECK_EQ(status.n_threads, 3);
	CHECK_EQ(status.sig_pending, 1);
	CHECK_EQ(status.shared_pending, 2);
	CHECK(status.sig_blocked == 0xfffffffe7ffbfeffULL);
	CHECK_EQ(status.sig_ignored, 0x380004);
	CHECK_EQ(status.sig_caught, 0x4b817efb);
	CHECK_EQ(status.cap_eff, 0x1fffeffffff);
	CHECK_EQ(status.cap_amb, 8);
	CHECK(status.no_new_privs);
	CHECK_EQ(status.seccomp, 2);
	CHECK_EQ(status.seccomp_filters, 3);
	CHECK(!status.thp_enabled);
	CHECK_EQ(status.locked_kb, 64);
	proc_status_free(&status);
}

static void test_status_malformed(void)
{
	static const char *const bad[] = { "",
					   "Tgid:\t1\n",
					   "Uid:\t1\t2\t3\n",
					   "Uid:\t1\t2\t3\t4\t5\n",
					   "Groups:\t1 x\n",
					   "SigBlk:\t00000000000000000001x\n",
					   "SigBlk:\t1ffffffffffffffff\n",
					   "Threads:\t4294967296\n",
					   "Umask:\t9\n" };
	/* Only what comes after the last mandatory line may be missing. */
	size_t optional = strlen(strstr(status_text, "CapAmb"));
	size_t accepted = PREFIXES_ACCEPTED(status_text, struct proc_status, proc_parse_status, proc_status_free);
	struct proc_status status;

	CHECK(accepted >= 5 && accepted < optional);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(proc_parse_status(bad[i], &status), -EINVAL);
	POKE(status_text, struct proc_status, proc_parse_status, proc_status_free);
}

static void test_timers(void)
{
	static const char text[] = "ID: 0\nsignal: 60/00007fff86e452a8\nnotify: signal/tid.2634\nClockID: 0\n"
				   "ID: 17\nsignal: 14/0000000000000000\nnotify: none/pid.2633\nClockID: -6\nNew: 1\n";
	static const char *const bad[] = { "ID: 1\n",
					   "ID: x\n",
					   "ID: 1\nID: 2\n",
					   "ID: 0\nsignal: 60\nnotify: signal/tid.1\nClockID: 0\n",
					   "ID: 0\nsignal: 60/1\nnotify: signal/abc.1\nClockID: 0\n",
					   "ID: 0\nsignal: 60/1\nnotify: other/tid.1\nClockID: 0\n" };
	proc_timers timers = { 0 };

	if (CHECK_EQ(proc_parse_timers(text, &timers), 0) && CHECK_EQ(timers.n, 2)) {
		CHECK_EQ(timers.data[0].signo, 60);
		CHECK_EQ(timers.data[0].sival, 0x7fff86e452a8);
		CHECK_EQ(timers.data[0].notify, 0);
		CHECK(timers.data[0].thread_id);
		CHECK_EQ(timers.data[0].notify_tid, 2634);
		CHECK_EQ(timers.data[1].id, 17);
		CHECK_EQ(timers.data[1].notify, 1);
		CHECK(!timers.data[1].thread_id);
		CHECK_EQ(timers.data[1].clock_id, -6);
	}
	VEC_FREE(&timers);
	CHECK_EQ(proc_parse_timers("", &timers), 0);
	CHECK_EQ(timers.n, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(proc_parse_timers(bad[i], &timers), -EINVAL);
	/* Whole: nothing, the first timer, and both without the line nobody knows. */
	CHECK_EQ(PREFIXES_ACCEPTED(text, proc_timers, proc_parse_timers, free_timers), 3);
	POKE(text, proc_timers, proc_parse_timers, free_timers);
}

static void test_mounts(void)
{
	static const char text[] =
		"36 35 98:0 /mnt1 /mnt\\040a\\134b rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n"
		"37 35 0:99 / /x\\012y ro - tmpfs  rw,size=1k\n";
	static const char *const bad[] = { "36\n", "36 35 98:0 / / rw\n", "36 35 98:0 / / rw - ext3 x\n",
					   "36 35 98:0 / / rw master:1 ext3 x rw\n", "a 35 98:0 / / rw - ext3 x rw\n" };
	proc_mounts mounts = { 0 };

	if (CHECK_EQ(proc_parse_mounts(text, &mounts), 0) && CHECK_EQ(mounts.n, 2)) {
		CHECK_EQ(mounts.data[0].mnt_id, 36);
		CHECK_EQ(mounts.data[0].parent_id, 35);
		CHECK_EQ(mounts.data[0].dev_major, 98);
		CHECK_STR(mounts.data[0].root, "/mnt1");
		CHECK_STR(mounts.data[0].mountpoint, "/mnt a\\b");
		CHECK_STR(mounts.data[0].options, "rw,noatime");
		CHECK_STR(mounts.data[0].fstype, "ext3");
		CHECK_STR(mounts.data[0].source, "/dev/root");
		CHECK_STR(mounts.data[0].super_options, "rw,errors=continue");
		CHECK_EQ(mounts.data[1].dev_minor, 99);
		CHECK_STR(mounts.data[1].mountpoint, "/x\ny");
		CHECK_STR(mounts.data[1].source, "");
		CHECK_STR(mounts.data[1].super_options, "rw,size=1k");
	}
	proc_mounts_free(&mounts);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(proc_parse_mounts(bad[i], &mounts), -EINVAL);
	CHECK_EQ(PREFIXES_ACCEPTED(text, proc_mounts, proc_parse_mounts, proc_mounts_free), 2);
	POKE(text, proc_mounts, proc_parse_mounts, proc_mounts_free);
}

static void test_own_lists(void)
{
	pid_t self = getpid();
	pid_t child = fork();
	pid_list threads = { 0 }, children = { 0 };
	fd_list fds = { 0 };
	char *link = NULL;

	if (!child) {
		pause();
		_exit(0);
	}
	CHECK_EQ(proc_list_threads(self, &threads), 0);
	CHECK(threads.n >= 1 && threads.data[0] == self);
	if (CHECK_EQ(proc_list_children(self, &children), 0) && CHECK_EQ(children.n, 1))
		CHECK_EQ(children.data[0], child);
	VEC_FREE(&children);
	if (CHECK_EQ(proc_list_main_children(self, &children), 0) && CHECK_EQ(children.n, 1))
		CHECK_EQ(children.data[0], child);
	CHECK_EQ(proc_list_fds(self, &fds), 0);
	CHECK(fds.n >= 3);
	CHECK_EQ(proc_read_link(self, "exe", &link), 0);
	CHECK(link && strstr(link, "proc_test"));
	free(link);
	VEC_FREE(&threads);
	VEC_FREE(&children);
	VEC_FREE(&fds);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK_EQ(proc_list_threads(child, &threads), -ESRCH);
	CHECK_EQ(proc_list_children(child, &children), -ESRCH);
	CHECK_EQ(proc_list_main_children(child, &children), -ESRCH);
	CHECK_EQ(proc_list_fds(child, &fds), -ESRCH);
	CHECK_EQ(proc_read_link(child, "exe", &link), -ESRCH);
	CHECK_EQ(proc_open(child, "mem", O_RDONLY), -ESRCH);
	CHECK_EQ(proc_open(self, "no-such-file", O_RDONLY), -ENOENT);
}

static void test_own_rest(void)
{
	struct proc_status status = { 0 };
	struct proc_fdinfo info;
	struct proc_stat stat;
	proc_mounts mounts = { 0 };
	proc_timers timers = { 0 };
	pid_t self = getpid();

	CHECK_EQ(proc_read_stat(self, 0, &stat), 0);
	CHECK_EQ(stat.pid, self);
	CHECK_EQ(stat.ppid, getppid());
	CHECK_STR(stat.comm, "proc_test");
	CHECK_EQ(proc_read_stat(self, self, &stat), 0);
	CHECK_EQ(proc_read_stat(self, 1 << 22, &stat), -ESRCH);
	CHECK_EQ(proc_read_status(self, 0, &status), 0);
	CHECK_EQ(status.tgid, self);
	CHECK_EQ(status.uids[1], geteuid());
	proc_status_free(&status);
	CHECK_EQ(proc_read_fdinfo(self, 0, &info), 0);
	proc_fdinfo_free(&info);
	CHECK_EQ(proc_read_mounts(self, &mounts), 0);
	CHECK(mounts.n > 0);
	proc_mounts_free(&mounts);
	if (access("/proc/self/timers", F_OK))
		TEST_SKIP("no /proc/PID/timers in this kernel");
	else
		CHECK_EQ(proc_read_timers(self, &timers), 0);
	CHECK_EQ(timers.n, 0);
}

int main(void)
{
	test_parse_quietly();
	test_stat();
	test_status();
	test_status_malformed();
	test_timers();
	test_mounts();
	test_own_lists();
	test_own_rest();
	return test_end();
}
