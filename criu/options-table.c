#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "options-table.h"
#include "util/log.h"

static void *field_of(struct options *options, const struct option_row *row)
{
	return (char *)options + row->offset;
}

static int bad_value(const struct option_row *row, const char *value, const char *expected)
{
	pr_err("--%s %s: expected %s", row->name, value, expected);
	return -EINVAL;
}

/* A whole word that is a decimal number. */
static int parse_number(const char *text, uint64_t max, uint64_t *ret, const char **ret_end)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (errno || *ret > max || (!ret_end && *end))
		return -EINVAL;
	if (ret_end)
		*ret_end = end;
	return 0;
}

static int set_bool(struct options *options, const struct option_row *row, const char *value, bool on)
{
	*(bool *)field_of(options, row) = on;
	return 0;
}

static int set_string(struct options *options, const struct option_row *row, const char *value, bool on)
{
	*(const char **)field_of(options, row) = value;
	return 0;
}

/* What is seen before the configuration files are read, or has no effect here. */
static int set_nothing(struct options *options, const struct option_row *row, const char *value, bool on)
{
	return 0;
}

/* Mainline has it and we do not. Switching it off is what we do anyway. */
static int set_unsupported(struct options *options, const struct option_row *row, const char *value, bool on)
{
	if (on)
		VEC_PUSH(&options->unsupported, arena_printf(options->arena, "--%s", row->name));
	return 0;
}

static int set_unsupported_value(struct options *options, const struct option_row *row, const char *value)
{
	VEC_PUSH(&options->unsupported,
		 arena_printf(options->arena, "--%s%s%s", row->name, value ? "=" : "", value ? value : ""));
	return 0;
}

/*
 * -v, -vvv, -v4, --verbosity=4, and -verbosity=4, which test harnesses use and
 * which getopt takes for -v with the value "erbosity=4".
 */
static int set_verbosity(struct options *options, const struct option_row *row, const char *value, bool on)
{
	uint64_t level;

	if (!value) {
		options->log_level++;
		return 0;
	}
	if (strspn(value, "v") == strlen(value)) {
		options->log_level += 1 + (int)strlen(value);
		return 0;
	}
	if (!strncmp(value, "erbosity=", strlen("erbosity=")))
		value += strlen("erbosity=");
	if (parse_number(value, INT_MAX, &level, NULL))
		return bad_value(row, value, "a level from 0 to 4");
	options->log_level = (int)level;
	return 0;
}

static int set_tree(struct options *options, const struct option_row *row, const char *value, bool on)
{
	uint64_t pid;

	if (parse_number(value, INT_MAX, &pid, NULL) || !pid)
		return bad_value(row, value, "a process id above 0");
	options->tree = (pid_t)pid;
	return 0;
}

static int set_running(struct options *options, const struct option_row *row, const char *value, bool on)
{
	options->final_state = FINAL_RUNNING;
	return 0;
}

static int set_stopped(struct options *options, const struct option_row *row, const char *value, bool on)
{
	options->final_state = FINAL_STOPPED;
	return 0;
}

static int set_timeout(struct options *options, const struct option_row *row, const char *value, bool on)
{
	uint64_t seconds;

	if (parse_number(value, INT_MAX, &seconds, NULL))
		return bad_value(row, value, "a number of seconds");
	options->timeout_s = (unsigned int)seconds;
	return 0;
}

static int suffix_shift(char suffix)
{
	switch (suffix) {
	case 'K':
	case 'k':
		return 10;
	case 'M':
	case 'm':
		return 20;
	case 'G':
	case 'g':
		return 30;
	default:
		return 0;
	}
}

static int set_external_holders(struct options *options, const struct option_row *row, const char *value, bool on)
{
	static const char *const names[] = {
		[EXTERNAL_REFUSE] = "refuse",
		[EXTERNAL_ATTACH] = "attach",
		[EXTERNAL_COPY] = "copy",
	};

	for (size_t i = EXTERNAL_REFUSE; i < ARRAY_SIZE(names); i++)
		if (!strcmp(value, names[i])) {
			options->external_holders = i;
			return 0;
		}
	return fail(EINVAL, "--%s %s: refuse, attach or copy", row->name, value);
}

static int set_ghost_limit(struct options *options, const struct option_row *row, const char *value, bool on)
{
	const char *end;
	uint64_t number;
	int shift;

	if (parse_number(value, UINT64_MAX, &number, &end))
		return bad_value(row, value, "a number of bytes, perhaps with K, M or G behind it");
	shift = suffix_shift(*end);
	if (end[shift ? 1 : 0] || number > UINT64_MAX >> shift)
		return bad_value(row, value, "a number of bytes, perhaps with K, M or G behind it");
	options->ghost_limit_bytes = number << shift;
	return 0;
}

static int set_close(struct options *options, const struct option_row *row, const char *value, bool on)
{
	uint64_t fd;

	if (parse_number(value, INT_MAX, &fd, NULL))
		return bad_value(row, value, "a descriptor number");
	if (close((int)fd))
		return fail_errno("--close %s", value);
	return 0;
}

static int set_action_script(struct options *options, const struct option_row *row, const char *value, bool on)
{
	VEC_PUSH(&options->action_scripts, value);
	return 0;
}

static bool has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* Kinds of mainline that stand for things this version does not save. */
static const char *const foreign_externals[] = {
	"mnt[", "dev[", "net[", "pid[", "veth[", "macvlan[", "netdev[",
};

static int set_irmap_scan_path(struct options *options, const struct option_row *row, const char *value, bool on)
{
	VEC_PUSH(&options->irmap_scan_paths, value);
	return 0;
}

static int set_external(struct options *options, const struct option_row *row, const char *value, bool on)
{
	unsigned int a, b;
	int end = 0;

	if (sscanf(value, "file[%x:%x]%n", &a, &b, &end) == 2 || sscanf(value, "tty[%x:%x]%n", &a, &b, &end) == 2 ||
	    sscanf(value, "unix[%u]%n", &a, &end) == 1 || sscanf(value, "pipe[%u]%n", &a, &end) == 1) {
		if (end && !value[end]) {
			VEC_PUSH(&options->externals, value);
			return 0;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(foreign_externals); i++)
		if (has_prefix(value, foreign_externals[i]))
			return set_unsupported_value(options, row, value);
	return bad_value(row, value,
			 "file[MNT_ID:INODE] or tty[RDEV:DEV], both in hexadecimal, unix[INODE] or pipe[INODE]");
}

static int set_ext_unix_sk(struct options *options, const struct option_row *row, const char *value, bool on)
{
	options->ext_unix_sk = true;
	for (const char *p = value; p && *p;) {
		const char *end;
		uint64_t ino;

		if (parse_number(p, UINT32_MAX, &ino, &end) || !ino || (*end && (*end != ',' || !end[1])))
			return bad_value(row, value, "inode numbers of sockets with commas between");
		VEC_PUSH(&options->lost_unix_peers, ino);
		p = *end ? end + 1 : end;
	}
	return 0;
}

static int set_inherit_fd(struct options *options, const struct option_row *row, const char *value, bool on)
{
	const char *end;
	uint64_t fd;

	if (!has_prefix(value, "fd[") || parse_number(value + 3, INT_MAX, &fd, &end) || !has_prefix(end, "]:") ||
	    !end[2])
		return bad_value(row, value, "fd[NUMBER]:KEY");
	if (fcntl((int)fd, F_GETFD) < 0)
		return fail_errno("--inherit-fd %s: descriptor %d", value, (int)fd);
	VEC_PUSH(&options->inherit_fds, ((struct inherit_fd){ .fd = (int)fd, .key = end + 2 }));
	return 0;
}

static int set_exec_cmd(struct options *options, const struct option_row *row, const char *value, bool on)
{
	/* Empty for now: its words stand behind the command, which is not yet known. */
	options->exec_cmd = arena_array(options->arena, char *, 1);
	return 0;
}

static int set_file_validation(struct options *options, const struct option_row *row, const char *value, bool on)
{
	if (strcmp(value, "buildid") && strcmp(value, "filesize"))
		return bad_value(row, value, "buildid or filesize");
	options->validate_build_id = !strcmp(value, "buildid");
	return 0;
}

static int set_all(struct options *options, const struct option_row *row, const char *value, bool on)
{
	options->check_extra = true;
	options->check_experimental = true;
	return 0;
}

/* The rules of iptables would be made by nf_tables, too: the lock is the same with both names. */
static int set_network_lock(struct options *options, const struct option_row *row, const char *value, bool on)
{
	if (!strcmp(value, "skip") || !strcmp(value, "none"))
		options->network_lock = NETWORK_LOCK_SKIP;
	else if (!strcmp(value, "iptables") || !strcmp(value, "nftables"))
		options->network_lock = NETWORK_LOCK_NFTABLES;
	else
		return bad_value(row, value, "iptables, nftables or skip");
	return 0;
}

static int set_manage_cgroups(struct options *options, const struct option_row *row, const char *value, bool on)
{
	static const char *const ours[] = { "ignore", "none" };
	static const char *const others[] = { "props", "full", "strict" };

	if (!value || !strcmp(value, "soft")) {
		pr_warn("--%s: cgroups are not saved; restored tasks stay in the cgroup of criu", row->name);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (!strcmp(value, ours[i]))
			return 0;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(value, others[i]))
			return set_unsupported_value(options, row, value);
	return bad_value(row, value, "none, props, soft, full, strict or ignore");
}

static int set_cpu_cap(struct options *options, const struct option_row *row, const char *value, bool on)
{
	if (value && !strcmp(value, "none"))
		return 0;
	if (value && !strcmp(value, "fpu,ins")) {
		pr_warn("--cpu-cap=%s: cpuinfo.img is neither written nor checked", value);
		return 0;
	}
	return set_unsupported_value(options, row, value);
}

static int set_lsm_profile(struct options *options, const struct option_row *row, const char *value, bool on)
{
	return strcmp(value, "none") ? set_unsupported_value(options, row, value) : 0;
}

/* It chooses how pre-dump reads memory; harnesses pass it to dump as well. */
static int set_pre_dump_mode(struct options *options, const struct option_row *row, const char *value, bool on)
{
	if (!strcmp(value, "splice") || !strcmp(value, "read"))
		return 0;
	return bad_value(row, value, "splice or read");
}

static int set_removed(struct options *options, const struct option_row *row, const char *value, bool on)
{
	pr_err("--%s has been removed", row->name);
	return -EINVAL;
}

/* clang-format off */
#define NO no_argument
#define REQ required_argument
#define OPT optional_argument
#define FIELD(name) offsetof(struct options, name)
#define HEADING(text) { .help = (text) }
#define FLAG(name, letter, field, text) { name, letter, NO, true, set_bool, FIELD(field), NULL, text }
#define STRING(name, letter, field, value, text) { name, letter, REQ, false, set_string, FIELD(field), value, text }
#define CALL(name, letter, arg, set, value, text) { name, letter, arg, false, set, 0, value, text }
#define UNSUPPORTED(name, letter, arg) { name, letter, arg, false, set_unsupported, 0, NULL, NULL }
#define UNSUPPORTED_FLAG(name) { name, 0, NO, true, set_unsupported, 0, NULL, NULL }
#define NO_EFFECT(name) { name, 0, NO, true, set_nothing, 0, NULL, NULL }

const struct option_row option_table[] = {
	HEADING("Options of all commands"),
	CALL("help", 'h', NO, set_nothing, NULL, "show this text"),
	CALL("version", 'V', NO, set_nothing, NULL, "show the version"),
	CALL("config", 0, REQ, set_nothing, "FILE", "read options from FILE instead of the default files"),
	CALL("no-default-config", 0, NO, set_nothing, NULL, "do not read the default configuration files"),
	STRING("images-dir", 'D', images_dir, "DIR", "directory of the image files (default: the current one)"),
	STRING("work-dir", 'W', work_dir, "DIR", "directory of logs, statistics and pid files (default: images)"),
	STRING("log-file", 'o', log_file, "FILE", "log into FILE in the work directory, - for stdout"),
	CALL("verbosity", 'v', OPT, set_verbosity, "NUM",
	     "0 messages, 1 errors, 2 warnings (default), 3 information, 4 debugging; -v adds one"),
	FLAG("unprivileged", 0, unprivileged, "run without uid 0, with CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN"),
	FLAG("display-stats", 0, display_stats, "print statistics to stdout at the end"),
	CALL("action-script", 0, REQ, set_action_script, "FILE", "run FILE at every stage; the last given runs first"),
	CALL("close", 0, REQ, set_close, "FD", "close descriptor FD before anything else"),
	NO_EFFECT("deprecated"),

	HEADING("Options of dump"),
	CALL("tree", 't', REQ, set_tree, "PID", "dump (or inspect) the process PID and all its descendants"),
	CALL("leave-running", 'R', NO, set_running, NULL, "let the tasks run on after the dump"),
	CALL("timeout", 0, REQ, set_timeout, "SECONDS", "time allowed for stopping the tasks (default 10)"),
	FLAG("tmpfs-content", 0, tmpfs_content, "carry the content of files on a tmpfs, to survive a reboot"),
	CALL("ghost-limit", 0, REQ, set_ghost_limit, "BYTES",
	     "largest deleted file to carry, suffix K, M or G (default 1M); shared memory has no limit"),
	CALL("irmap-scan-path", 0, REQ, set_irmap_scan_path, "DIR",
	     "look below DIR, too, for the names of watched files to which no handle leads"),
	FLAG("force-irmap", 0, force_irmap, "save watched files by name only, not by handle"),
	FLAG("evasive-devices", 0, evasive_devices, "use another path of a device if its own is unreachable"),

	HEADING("Options of restore"),
	FLAG("restore-detached", 'd', restore_detached, "end as soon as the tasks run"),
	FLAG("restore-sibling", 'S', restore_sibling, "restore the root task as a sibling of criu (with -d)"),
	CALL("exec-cmd", 0, NO, set_exec_cmd, NULL, "then execute the words behind -- as parent of the root task"),
	STRING("pidfile", 0, pidfile, "FILE", "write the pid of the root task to FILE"),
	CALL("inherit-fd", 0, REQ, set_inherit_fd, "fd[N]:KEY", "use the open descriptor N for the file named by KEY"),
	FLAG("skip-file-rwx-check", 0, skip_file_rwx_check, "do not compare permission bits of files"),
	{ "mntns-compat-mode", 0, NO, true, set_bool, FIELD(mntns_compat_mode), NULL, NULL },

	HEADING("Options of dump and restore"),
	CALL("leave-stopped", 's', NO, set_stopped, NULL, "leave the tasks stopped at the end"),
	FLAG("shell-job", 'j', shell_job, "the root task belongs to a foreign session and terminal"),
	FLAG("file-locks", 'l', file_locks, "save file locks, and take them again on restore"),
	FLAG("link-remap", 0, link_remap, "link deleted files that still have other names back"),
	CALL("external-holders", 0, REQ, set_external_holders, "HOW",
	     "shared memory held outside the tree, too: refuse (default of dump), attach, copy"),
	CALL("external", 0, REQ, set_external, "RES", "file[MNT_ID:INODE], tty[RDEV:DEV] or unix[INODE] is given back by --inherit-fd"),
	CALL("ext-unix-sk", 'x', OPT, set_ext_unix_sk, "INODES", "datagram sockets connect again to names outside the tree; others may lose peers"),
	CALL("file-validation", 0, REQ, set_file_validation, "HOW", "tell whether files changed: buildid (default), filesize"),
	FLAG("tcp-established", 0, tcp_established, "keep TCP connections"),
	FLAG("tcp-close", 0, tcp_close, "let TCP connections end: their sockets come back closed"),
	FLAG("skip-in-flight", 0, skip_in_flight, "leave out TCP connections that are not established, or not accepted"),
	CALL("network-lock", 0, REQ, set_network_lock, "HOW", "keep packets away meanwhile: nftables, iptables (the same), skip"),
	CALL("manage-cgroups", 0, OPT, set_manage_cgroups, "HOW", "only ignore, none and soft; cgroups are not saved"),
	CALL("cpu-cap", 0, OPT, set_cpu_cap, "WHAT", "only none and fpu,ins; there is no cpuinfo.img"),
	CALL("lsm-profile", 0, REQ, set_lsm_profile, "none", "only none"),
	NO_EFFECT("ghost-fiemap"),
	CALL("pre-dump-mode", 0, REQ, set_pre_dump_mode, NULL, NULL),

	HEADING("Options of inspect"),
	FLAG("json", 0, json, "print the report as JSON, not as text"),
	STRING("html", 0, html_file, "FILE", "also write it into FILE as a page with a picture"),

	HEADING("Options of check"),
	STRING("feature", 0, check_feature, "NAME", "tell whether one feature is there"),
	FLAG("extra", 0, check_extra, "fail if a feature of special cases is missing"),
	FLAG("experimental", 0, check_experimental, "fail if an experimental feature is missing"),
	CALL("all", 0, NO, set_all, NULL, "--extra and --experimental"),
	CALL("ms", 0, NO, set_removed, NULL, NULL),

	HEADING("Options of convert"),
	{ "to-mainline", 0, NO, false, set_bool, FIELD(to_mainline), NULL, "make shared memory files ghost files, in place" },

	UNSUPPORTED("libdir", 'L', REQ),
	UNSUPPORTED_FLAG("log-pid"),
	UNSUPPORTED_FLAG("stream"),
	UNSUPPORTED("prev-images-dir", 0, REQ),
	UNSUPPORTED_FLAG("track-mem"),
	UNSUPPORTED_FLAG("auto-dedup"),
	UNSUPPORTED_FLAG("page-server"),
	UNSUPPORTED("lazy-pages", 0, NO),
	UNSUPPORTED("freeze-cgroup", 0, REQ),
	UNSUPPORTED("cgroup-props", 0, REQ),
	UNSUPPORTED("cgroup-props-file", 0, REQ),
	UNSUPPORTED("cgroup-dump-controller", 0, REQ),
	UNSUPPORTED("skip-mnt", 0, REQ),
	UNSUPPORTED_FLAG("weak-sysctls"),
	UNSUPPORTED("cgroup-root", 0, REQ),
	UNSUPPORTED("cgroup-yard", 0, REQ),
	UNSUPPORTED("root", 'r', REQ),
	UNSUPPORTED("enable-fs", 0, REQ),
	UNSUPPORTED("ext-mount-map", 'M', REQ),
	UNSUPPORTED("enable-external-sharing", 0, NO),
	UNSUPPORTED("enable-external-masters", 0, NO),
	UNSUPPORTED("empty-ns", 0, REQ),
	UNSUPPORTED_FLAG("allow-uprobes"),
	UNSUPPORTED("join-ns", 'J', REQ),
	UNSUPPORTED("veth-pair", 0, REQ),
	UNSUPPORTED("lsm-mount-context", 0, REQ),
	UNSUPPORTED("address", 0, REQ),
	UNSUPPORTED("port", 0, REQ),
	UNSUPPORTED("ps-socket", 0, REQ),
	UNSUPPORTED_FLAG("daemon"),
	UNSUPPORTED("status-fd", 0, REQ),
	UNSUPPORTED_FLAG("tls"),
	UNSUPPORTED("tls-cacert", 0, REQ),
	UNSUPPORTED("tls-cacrl", 0, REQ),
	UNSUPPORTED("tls-cert", 0, REQ),
	UNSUPPORTED("tls-key", 0, REQ),
	UNSUPPORTED("tls-no-cn-verify", 0, NO),
};
/* clang-format on */

const size_t option_table_len = ARRAY_SIZE(option_table);
