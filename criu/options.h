/*
 * Command line, configuration files and environment, parsed once into one
 * read-only structure that is passed on explicitly.
 */
#ifndef CRIU_OPTIONS_H
#define CRIU_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/mem.h"

enum command {
	COMMAND_NONE,
	COMMAND_DUMP,
	COMMAND_RESTORE,
	COMMAND_INSPECT, /* ours */
	COMMAND_CHECK,
	COMMAND_CONVERT,     /* ours alone */
	COMMAND_UNSUPPORTED, /* mainline has it, we do not: refused by options_check */
	COMMAND_REMOVED,     /* mainline once had it: exit status 255 */
};

enum final_state {
	FINAL_DEFAULT, /* dump: kill; restore: run */
	FINAL_RUNNING, /* --leave-running */
	FINAL_STOPPED, /* --leave-stopped */
};

/* --inherit-fd fd[N]:KEY */
struct inherit_fd {
	int fd;
	const char *key;
};

/* What to do with shared objects that processes outside the tree hold as well. */
enum external_holders {
	EXTERNAL_DEFAULT, /* dump: refuse; restore: what the dump recorded */
	EXTERNAL_REFUSE,
	EXTERNAL_ATTACH,
	EXTERNAL_COPY,
};

/* How packets of connections are kept away; numbered as in the inventory. */
enum network_lock {
	NETWORK_LOCK_IPTABLES,
	NETWORK_LOCK_NFTABLES,
	NETWORK_LOCK_SKIP,
};

struct options {
	enum command command;
	const char *command_name; /* the word on the command line */
	int log_level;
	const char *log_file;	/* NULL: stderr, "-": stdout */
	const char *images_dir; /* default "." */
	const char *work_dir;	/* NULL: the images directory */
	const char *pidfile;
	bool display_stats;
	bool unprivileged;
	pid_t tree;
	enum final_state final_state;
	unsigned int timeout_s;
	uint64_t ghost_limit_bytes;
	enum external_holders external_holders;
	bool shell_job;
	bool link_remap;
	bool tmpfs_content;
	bool force_irmap;
	VEC(const char *) irmap_scan_paths;
	bool evasive_devices;
	bool file_locks;
	bool tcp_established;
	bool tcp_close;
	bool skip_in_flight;
	enum network_lock network_lock;
	bool restore_detached;
	bool restore_sibling;
	char **exec_cmd; /* --exec-cmd -- PROGRAM ARGS: NULL-terminated, or NULL */
	bool skip_file_rwx_check;
	bool validate_build_id;		  /* --file-validation buildid (default) or filesize */
	VEC(const char *) action_scripts; /* in the order given */
	VEC(const char *) externals;	  /* --external RESOURCE, kept verbatim */
	bool ext_unix_sk;
	VEC(uint32_t) lost_unix_peers; /* --ext-unix-sk=INODE,... */
	VEC(struct inherit_fd) inherit_fds;
	bool json;
	const char *html_file;
	const char *check_feature;
	bool check_extra, check_experimental;
	bool to_mainline;	       /* convert */
	bool mntns_compat_mode;	       /* no effect: mounts are not restored */
	VEC(const char *) unsupported; /* options asked for that only mainline has */
	struct arena *arena;	       /* owns text that came from configuration files */
};

/**
 * options_parse - defaults, configuration files, environment, command line
 * @ret: filled; strings live until options_free() or the end of the process
 *
 * Return: 0; 1 when the program is done (help, version) and should exit 0;
 * negative errno after a message (exit 1).
 */
int must_check options_parse(int argc, char **argv, struct options *ret);

/**
 * options_check - refuse what was asked for and cannot be had
 *
 * Names every command and option that mainline knows and we do not have, and
 * options that contradict each other. To be called once the log is open, so
 * that the log says why nothing was done.
 *
 * Return: 0 or -EINVAL (logged)
 */
int must_check options_check(const struct options *options);

/** options_unix_may_lose - is socket @ino, or its peer @peer, in the list of --ext-unix-sk? */
bool options_unix_may_lose(const struct options *options, uint32_t ino, uint32_t peer);

/** options_inherited - the descriptor given for @key with --inherit-fd; borrowed; -ENOENT silently. */
int must_check options_inherited(const struct options *options, const char *key);

void options_free(struct options *options);

#endif
