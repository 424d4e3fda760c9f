#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "options-table.h"
#include "options.h"
#include "util/log.h"

#define VERSION_OF_MAINLINE "4.2"
#define SYSTEM_CONFIG	    "/etc/criu/default.conf"
#define USER_CONFIG	    ".criu/default.conf"

/* getopt's codes: row of the table, doubled, plus one for the negated form. */
#define CODE_BASE	 256
#define CODE_OF(row, on) (CODE_BASE + 2 * (int)(row) + !(on))

/* What getopt_long wants, built from the table. */
struct getopt_tables {
	struct option *longs;
	char shorts[256];
};

static void add_long(struct option **at, const char *name, int arg, int code)
{
	*(*at)++ = (struct option){ .name = name, .has_arg = arg, .val = code };
}

static void build_getopt_tables(struct arena *arena, struct getopt_tables *ret)
{
	struct option *at = arena_array(arena, struct option, 2 * option_table_len + 1);
	char *shorts = ret->shorts;

	ret->longs = at;
	/* The colon makes getopt tell a missing value from an unknown option. */
	*shorts++ = ':';
	for (size_t i = 0; i < option_table_len; i++) {
		const struct option_row *row = &option_table[i];

		if (!row->name)
			continue;
		add_long(&at, row->name, row->arg, CODE_OF(i, true));
		if (row->negatable)
			add_long(&at, arena_printf(arena, "no-%s", row->name), no_argument, CODE_OF(i, false));
		if (row->short_name) {
			*shorts++ = row->short_name;
			for (int colons = row->arg; colons; colons = row->arg == optional_argument ? colons - 1 : 0)
				*shorts++ = ':';
		}
	}
	*shorts = '\0';
}

static const struct option_row *row_of_code(int code, bool *ret_on)
{
	*ret_on = true;
	if (code >= CODE_BASE) {
		*ret_on = !((code - CODE_BASE) & 1);
		return &option_table[(code - CODE_BASE) / 2];
	}
	for (size_t i = 0; i < option_table_len; i++)
		if (option_table[i].short_name && option_table[i].short_name == code)
			return &option_table[i];
	return NULL;
}

/* @word: the word getopt stumbled over; it may stand for several short options. */
static int report_bad_option(int code, const char *word)
{
	bool on;

	if (code == ':')
		pr_err("option %s needs a value", word);
	else if (optopt && row_of_code(optopt, &on))
		pr_err("option %s takes no value", word);
	else if (optopt && word[0] == '-' && word[1] != '-')
		pr_err("unknown option -%c in %s", optopt, word);
	else
		pr_err("unknown or ambiguous option %s", word);
	return -EINVAL;
}

/*
 * Apply the options among @argv, which getopt reorders: the other words are
 * last, from *@ret_first on.
 */
static int apply_words(struct options *options, const struct getopt_tables *tables, int argc, char **argv,
		       int *ret_first)
{
	int code;

	optind = 0;
	opterr = 0;
	while ((code = getopt_long(argc, argv, tables->shorts, tables->longs, NULL)) != -1) {
		const struct option_row *row;
		bool on;
		int err;

		if (code == '?' || code == ':')
			return report_bad_option(code, argv[optind - 1]);
		row = row_of_code(code, &on);
		err = row->set(options, row, optarg, on);
		if (err)
			return err;
	}
	*ret_first = optind;
	return 0;
}

/* What must be known before the configuration files are read. */
struct early_options {
	bool help, version, no_default_config;
	const char *config;
};

static void scan_early_options(const struct getopt_tables *tables, int argc, char **argv, struct early_options *ret)
{
	int code;

	optind = 0;
	opterr = 0;
	while ((code = getopt_long(argc, argv, tables->shorts, tables->longs, NULL)) != -1) {
		const struct option_row *row;
		bool on;

		/* Errors are reported in the second round. */
		if (code == '?' || code == ':')
			continue;
		row = row_of_code(code, &on);
		if (!strcmp(row->name, "help"))
			ret->help = true;
		else if (!strcmp(row->name, "version"))
			ret->version = true;
		else if (!strcmp(row->name, "no-default-config"))
			ret->no_default_config = true;
		else if (!strcmp(row->name, "config"))
			ret->config = optarg;
	}
}

static int apply_config(struct options *options, const struct getopt_tables *tables, const char *path, bool asked_for)
{
	option_words words = { 0 };
	int first, err;

	VEC_PUSH(&words, (char *)path);
	err = options_config_read(path, options->arena, &words);
	if (err == 1) {
		if (asked_for)
			pr_warn("configuration file %s cannot be opened and is ignored", path);
		err = 0;
	} else if (!err) {
		int n = (int)words.n;

		VEC_PUSH(&words, NULL);
		err = apply_words(options, tables, n, words.data, &first);
		if (err)
			pr_err("in configuration file %s", path);
	}
	VEC_FREE(&words);
	return err;
}

static int apply_configs(struct options *options, const struct getopt_tables *tables, const struct early_options *early)
{
	const char *home = getenv("HOME");
	const char *named = getenv("CRIU_CONFIG_FILE");
	int err = 0;

	if (!early->no_default_config && !early->config) {
		err = apply_config(options, tables, SYSTEM_CONFIG, false);
		if (!err && home)
			err = apply_config(options, tables, arena_printf(options->arena, "%s/" USER_CONFIG, home),
					   false);
	}
	if (!err && named)
		err = apply_config(options, tables, named, true);
	if (!err && early->config)
		err = apply_config(options, tables, early->config, true);
	return err;
}

static const struct command_word {
	const char *name;
	enum command command;
} command_words[] = {
	{ "dump", COMMAND_DUMP },
	{ "restore", COMMAND_RESTORE },
	{ "inspect", COMMAND_INSPECT },
	{ "check", COMMAND_CHECK },
	{ "convert", COMMAND_CONVERT },
	{ "pre-dump", COMMAND_UNSUPPORTED },
	{ "lazy-pages", COMMAND_UNSUPPORTED },
	{ "page-server", COMMAND_UNSUPPORTED },
	{ "service", COMMAND_UNSUPPORTED },
	{ "swrk", COMMAND_UNSUPPORTED },
	{ "dedup", COMMAND_UNSUPPORTED },
	{ "cpuinfo", COMMAND_UNSUPPORTED },
	{ "exec", COMMAND_REMOVED },
	{ "show", COMMAND_REMOVED },
};

/* @words: what is left of the command line, NULL-terminated. */
static int parse_command(struct options *options, char **words)
{
	if (!words[0]) {
		pr_err("no command given");
		return -EINVAL;
	}
	options->command_name = words[0];
	for (size_t i = 0; i < ARRAY_SIZE(command_words); i++)
		if (!strcmp(words[0], command_words[i].name))
			options->command = command_words[i].command;
	if (options->command == COMMAND_NONE) {
		pr_err("unknown command %s", words[0]);
		return -EINVAL;
	}
	if (options->exec_cmd) {
		options->exec_cmd = words + 1;
		return 0;
	}
	if (words[1] && options->command < COMMAND_UNSUPPORTED) {
		pr_err("unexpected word %s behind the command %s", words[1], words[0]);
		return -EINVAL;
	}
	return 0;
}

static void set_defaults(struct options *options)
{
	*options = (struct options){
		.log_level = LOG_WARN,
		.images_dir = ".",
		.timeout_s = 10,
		.ghost_limit_bytes = 1 << 20,
		.validate_build_id = true,
		.network_lock = NETWORK_LOCK_NFTABLES,
		.arena = arena_new(),
	};
}

static void print_version(void)
{
	printf("Version: %s\nIndependent implementation of the criu command, version %s\n", VERSION_OF_MAINLINE,
	       CRIU_OWN_VERSION);
}

int options_parse(int argc, char **argv, struct options *ret)
{
	struct early_options early = { 0 };
	struct getopt_tables tables;
	int first, err;
	char **words;

	set_defaults(ret);
	build_getopt_tables(ret->arena, &tables);
	words = arena_memdup(ret->arena, argv, (argc + 1) * sizeof(*argv));
	scan_early_options(&tables, argc, words, &early);
	if (early.help || early.version) {
		if (early.help)
			options_print_usage(true);
		else
			print_version();
		return 1;
	}
	err = apply_configs(ret, &tables, &early);
	if (err)
		return err;
	words = arena_memdup(ret->arena, argv, (argc + 1) * sizeof(*argv));
	err = apply_words(ret, &tables, argc, words, &first);
	if (!err)
		err = parse_command(ret, words + first);
	if (err)
		options_print_usage(false);
	return err;
}

static int contradiction(const char *text)
{
	pr_err("%s", text);
	return -EINVAL;
}

static int check_restore(const struct options *options)
{
	if (options->tree)
		pr_warn("--tree is ignored by restore");
	if (options->restore_sibling && !options->restore_detached)
		return contradiction("--restore-sibling needs --restore-detached");
	if (options->exec_cmd && options->restore_detached)
		return contradiction("--exec-cmd and --restore-detached exclude each other");
	if (options->exec_cmd && !options->exec_cmd[0])
		return contradiction("--exec-cmd needs a program behind --");
	return 0;
}

static int check_combination(const struct options *options)
{
	if (options->exec_cmd && options->command != COMMAND_RESTORE)
		return contradiction("--exec-cmd is an option of restore");
	if (options->mntns_compat_mode && options->command != COMMAND_RESTORE)
		return contradiction("--mntns-compat-mode is an option of restore");
	if ((options->json || options->html_file) && options->command != COMMAND_INSPECT)
		return contradiction("--json and --html are options of inspect");
	if (options->to_mainline != (options->command == COMMAND_CONVERT))
		return contradiction("convert needs --to-mainline, and only convert has it");
	if (options->command == COMMAND_DUMP && !options->tree)
		return contradiction("dump needs --tree PID");
	return options->command == COMMAND_RESTORE ? check_restore(options) : 0;
}

int options_check(const struct options *options)
{
	if (options->command == COMMAND_UNSUPPORTED)
		pr_err("command %s is not supported by this version", options->command_name);
	for (size_t i = 0; i < options->unsupported.n; i++)
		pr_err("%s is not supported by this version", options->unsupported.data[i]);
	/* Where a test should go wrong, a run that goes well would prove nothing. */
	if (getenv("CRIU_FAULT"))
		return contradiction("CRIU_FAULT: fault injection is not supported by this version");
	if (options->command == COMMAND_UNSUPPORTED || options->unsupported.n)
		return -EINVAL;
	return check_combination(options);
}

bool options_unix_may_lose(const struct options *options, uint32_t ino, uint32_t peer)
{
	for (size_t i = 0; i < options->lost_unix_peers.n; i++)
		if (options->lost_unix_peers.data[i] == ino || options->lost_unix_peers.data[i] == peer)
			return true;
	return false;
}

int options_inherited(const struct options *options, const char *key)
{
	for (size_t i = 0; i < options->inherit_fds.n; i++)
		if (!strcmp(options->inherit_fds.data[i].key, key))
			return options->inherit_fds.data[i].fd;
	return -ENOENT;
}

void options_free(struct options *options)
{
	VEC_FREE(&options->action_scripts);
	VEC_FREE(&options->externals);
	VEC_FREE(&options->irmap_scan_paths);
	VEC_FREE(&options->lost_unix_peers);
	VEC_FREE(&options->inherit_fds);
	VEC_FREE(&options->unsupported);
	if (options->arena)
		arena_free(options->arena);
	options->arena = NULL;
}
