#include <errno.h>
#include <fcntl.h>

#include "options-table.h"
#include "options.h"
#include "util/log.h"
#include "util/test.h"

#define MAX_WORDS 32

/* Parse a line of words separated by single blanks, as a shell would pass them. */
static int parse(const char *line, struct options *ret)
{
	static char text[1024];
	char *argv[MAX_WORDS + 1] = { "criu" };
	int argc = 1;

	snprintf(text, sizeof(text), "%s", line);
	for (char *word = strtok(text, " "); word && argc < MAX_WORDS; word = strtok(NULL, " "))
		argv[argc++] = word;
	return options_parse(argc, argv, ret);
}

#define PARSE(line, options) parse("--no-default-config " line, options)

static void check_refused(const char *line, bool by_parse)
{
	struct options options;
	int err = parse(line, &options);

	if (by_parse) {
		if (!CHECK_EQ(err, -EINVAL))
			printf("\tline: %s\n", line);
	} else if (!CHECK_EQ(err, 0) || !CHECK_EQ(options_check(&options), -EINVAL)) {
		printf("\tline: %s\n", line);
	}
	options_free(&options);
}

static void check_accepted(const char *line)
{
	struct options options;

	if (!CHECK_EQ(parse(line, &options), 0) || !CHECK_EQ(options_check(&options), 0))
		printf("\tline: %s\n", line);
	options_free(&options);
}

static void test_defaults(void)
{
	struct options options;

	CHECK_EQ(PARSE("check", &options), 0);
	CHECK_EQ(options.command, COMMAND_CHECK);
	CHECK_EQ(options.log_level, 2);
	CHECK_STR(options.images_dir, ".");
	CHECK(!options.log_file && !options.work_dir && !options.exec_cmd);
	CHECK_EQ(options.timeout_s, 10);
	CHECK_EQ(options.ghost_limit_bytes, 1 << 20);
	CHECK(options.validate_build_id);
	CHECK_EQ(options.final_state, FINAL_DEFAULT);
	options_free(&options);
}

static void test_dump(void)
{
	struct options options;

	/* Options before and behind the command, short, long, abbreviated. */
	CHECK_EQ(PARSE("-j -t 42 dump -D /images --leave-r --ghost-limit 3G -o dump.log --timeout=7 -v4 "
		       "--action-script a --action-script b --external file[1f:2a] --external tty[8800:6] "
		       "--no-shell-job",
		       &options),
		 0);
	CHECK_EQ(options_check(&options), 0);
	CHECK_EQ(options.command, COMMAND_DUMP);
	CHECK_EQ(options.tree, 42);
	CHECK(!options.shell_job);
	CHECK_STR(options.images_dir, "/images");
	CHECK_STR(options.log_file, "dump.log");
	CHECK_EQ(options.final_state, FINAL_RUNNING);
	CHECK_EQ(options.ghost_limit_bytes, 3ULL << 30);
	CHECK_EQ(options.timeout_s, 7);
	CHECK_EQ(options.log_level, 4);
	if (CHECK_EQ(options.action_scripts.n, 2))
		CHECK_STR(options.action_scripts.data[1], "b");
	if (CHECK_EQ(options.externals.n, 2))
		CHECK_STR(options.externals.data[0], "file[1f:2a]");
	options_free(&options);
}

static void test_irmap(void)
{
	struct options options;

	CHECK_EQ(PARSE("dump -t 1 --irmap-scan-path /a --force-irmap --irmap-scan-path=/b", &options), 0);
	CHECK_EQ(options_check(&options), 0);
	CHECK(options.force_irmap);
	if (CHECK_EQ(options.irmap_scan_paths.n, 2))
		CHECK_STR(options.irmap_scan_paths.data[1], "/b");
	options_free(&options);
	CHECK_EQ(PARSE("dump -t 1 --irmap-scan-path", &options), -EINVAL);
	options_free(&options);
}

static void test_unix(void)
{
	struct options options;

	CHECK_EQ(PARSE("dump -t 1 --external unix[42]", &options), 0);
	CHECK(!options.ext_unix_sk && options.externals.n == 1);
	options_free(&options);
	CHECK_EQ(PARSE("dump -t 1 -x", &options), 0);
	CHECK(options.ext_unix_sk);
	CHECK(!options_unix_may_lose(&options, 12, 0));
	options_free(&options);
	CHECK_EQ(PARSE("restore --ext-unix-sk=12,4294967295", &options), 0);
	CHECK_EQ(options_check(&options), 0);
	CHECK(options.ext_unix_sk);
	CHECK(options_unix_may_lose(&options, 12, 1) && options_unix_may_lose(&options, 1, 4294967295));
	CHECK(!options_unix_may_lose(&options, 13, 14));
	options_free(&options);
}

static void test_restore(void)
{
	struct options options;

	CHECK_EQ(PARSE("restore --inherit-fd fd[0]:pipe:[123] --pidfile p -d -S -s --file-validation filesize",
		       &options),
		 0);
	CHECK_EQ(options_check(&options), 0);
	CHECK(options.restore_detached && options.restore_sibling);
	CHECK_EQ(options.final_state, FINAL_STOPPED);
	CHECK(!options.validate_build_id);
	if (CHECK_EQ(options.inherit_fds.n, 1)) {
		CHECK_EQ(options.inherit_fds.data[0].fd, 0);
		CHECK_STR(options.inherit_fds.data[0].key, "pipe:[123]");
	}
	options_free(&options);

	CHECK_EQ(PARSE("restore -D x --exec-cmd -- /bin/prog -t --help", &options), 0);
	CHECK_EQ(options_check(&options), 0);
	if (CHECK(options.exec_cmd && options.exec_cmd[0])) {
		CHECK_STR(options.exec_cmd[0], "/bin/prog");
		CHECK_STR(options.exec_cmd[2], "--help");
		CHECK(!options.exec_cmd[3]);
	}
	options_free(&options);
}

static void test_verbosity(void)
{
	static const struct {
		const char *word;
		int level;
	} cases[] = { { "-v", 3 },	     { "-vv", 4 },	   { "-vvvv", 6 },	   { "-v0", 0 },
		      { "-v4", 4 },	     { "--verbosity", 3 }, { "--verbosity=1", 1 }, { "-verbosity=0", 0 },
		      { "-verbosity=3", 3 }, { "-v0 -v", 1 },	   { "--verb=4", 4 } };
	struct options options;
	char line[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(line, sizeof(line), "--no-default-config check %s", cases[i].word);
		CHECK_EQ(parse(line, &options), 0);
		if (!CHECK_EQ(options.log_level, cases[i].level))
			printf("\tword: %s\n", cases[i].word);
		options_free(&options);
	}
	check_refused("check -vx", true);
	check_refused("check --verbosity=high", true);
}

static void test_refused(void)
{
	static const char *const by_parse[] = {
		"",
		"fly",
		"dump extra",
		"dump --tree",
		"dump --no-such-option",
		"dump -Z",
		"dump -t 0",
		"dump -t -3",
		"dump -t 1x",
		"dump -t 99999999999",
		"dump --shell-job=1",
		"dump --leave",
		"dump --ghost-limit 1X",
		"dump --ghost-limit 1MM",
		"dump --ghost-limit 99999999999999999999",
		"dump --ghost-limit 99999999999G",
		"dump --timeout soon",
		"restore --inherit-fd 3:x",
		"restore --inherit-fd fd[x]:y",
		"restore --inherit-fd fd[0]:",
		"dump --external file[xyz]",
		"dump --external file[1:2]x",
		"dump --external other[1]",
		"dump --external unix[x]",
		"dump --external unix[1]2",
		"dump --ext-unix-sk=x",
		"dump --ext-unix-sk=0",
		"dump --ext-unix-sk=1,",
		"dump --ext-unix-sk=1;2",
		"dump --ext-unix-sk=4294967296",
		"dump --network-lock padlock",
		"dump --manage-cgroups=some",
		"dump --file-validation md5",
		"dump --pre-dump-mode fast",
		"check --ms",
	};
	static const char *const by_check[] = {
		"pre-dump -t 1",
		"lazy-pages",
		"page-server",
		"service",
		"swrk 3",
		"dedup",
		"cpuinfo dump",
		"dump",
		"dump -t 1 --track-mem",
		"dump -t 1 --prev-images-dir before",
		"dump -t 1 --auto-dedup",
		"dump -t 1 --lazy-pages",
		"dump -t 1 --page-server --address 127.0.0.1 --port 1",
		"restore --lazy-pages",
		"dump -t 1 --external mnt[]",
		"dump -t 1 --cpu-cap",
		"dump -t 1 --cpu-cap=all",
		"dump -t 1 --manage-cgroups=full",
		"restore -S",
		"restore -d --exec-cmd -- x",
		"restore --exec-cmd",
		"dump -t 1 --exec-cmd -- x",
		"dump -t 1 --mntns-compat-mode",
		"restore --lsm-profile apparmor:x",
		"restore -r /root",
		"restore --tls",
		"convert",
		"restore --to-mainline",
	};

	for (size_t i = 0; i < ARRAY_SIZE(by_parse); i++)
		check_refused(by_parse[i], true);
	for (size_t i = 0; i < ARRAY_SIZE(by_check); i++)
		check_refused(by_check[i], false);
}

/* What test harnesses and container runtimes say although it changes nothing. */
static void test_harmless(void)
{
	check_accepted("dump --no-default-config --log-file dump.log --images-dir d --verbosity=4 --tree 1 --pidfile p "
		       "--timeout 10 --pre-dump-mode splice --leave-stopped");
	check_accepted("restore --no-default-config --log-file r.log --images-dir d --verbosity=4 --mntns-compat-mode "
		       "--restore-sibling --pidfile p --leave-stopped --restore-detached");
	check_accepted("convert --to-mainline -D d");
	check_accepted("check --no-default-config -verbosity=0 --feature userns --unprivileged");
	check_accepted("dump -t 1 --network-lock skip --manage-cgroups=ignore --cpu-cap=none --lsm-profile none");
	check_accepted("dump -t 1 --network-lock iptables --manage-cgroups --cpu-cap=fpu,ins --deprecated");
	check_accepted("dump -t 1 --tcp-established --tcp-close --skip-in-flight --network-lock nftables");
	check_accepted(
		"dump -t 1 --no-tcp-established --no-auto-dedup --no-page-server --ghost-fiemap --no-ghost-fiemap");
}

static void test_config_words(void)
{
	static const char text[] = "\n"
				   "verbosity=4 \n"
				   "  # a comment\n"
				   "tree 12\t# twelve\n"
				   "\tshell-job   \r\n"
				   "action-script \"/a b/c \\\" d\\e\"  # quoted\n"
				   "log-file\tx#y\n"
				   "work-dir \"\"\n"
				   "external file[1:2]";
	static const char *const expected[] = {
		"--verbosity=4",  "--tree=12",	 "--shell-job",		"--action-script=/a b/c \" d\\e",
		"--log-file=x#y", "--work-dir=", "--external=file[1:2]"
	};
	static const char *const bad[] = { "tree 1 2\n", "tree \"1\n",	   "tree \"1\"2\n",
					   "=4\n",	 "tree 1 \"2\"\n", "--tree 1\n" };
	struct arena *arena = arena_new();
	option_words words = { 0 };

	CHECK_EQ(options_config_parse("test", text, arena, &words), 0);
	if (CHECK_EQ(words.n, ARRAY_SIZE(expected)))
		for (size_t i = 0; i < words.n; i++)
			CHECK_STR(words.data[i], expected[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!CHECK_EQ(options_config_parse("test", bad[i], arena, &words), -EINVAL))
			printf("\tline: %s", bad[i]);
	VEC_FREE(&words);
	/* Every prefix must at least not be read beyond its end. */
	for (size_t n = 0; n < sizeof(text); n++) {
		auto_free char *cut = xalloc(n + 1);

		memcpy(cut, text, n);
		if (options_config_parse("test", cut, arena, &words))
			CHECK(strchr(cut, '"'));
		VEC_FREE(&words);
	}
	arena_free(arena);
}

static void write_file(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
}

/* Later sources win; --config replaces the default files but not the named one. */
static void test_config_order(void)
{
	char dir[] = "/tmp/criu-options-test-XXXXXX";
	struct options options;
	char env_path[64], own_path[64], line[256];

	if (!CHECK(mkdtemp(dir) != NULL))
		return;
	snprintf(env_path, sizeof(env_path), "%s/env", dir);
	snprintf(own_path, sizeof(own_path), "%s/own", dir);
	write_file(env_path, "timeout 1\nghost-limit 2M\nshell-job\n");
	write_file(own_path, "timeout 3\nno-shell-job\nimages-dir \"a b\"\n");
	setenv("CRIU_CONFIG_FILE", env_path, 1);
	snprintf(line, sizeof(line), "dump --config %s -t 1 --timeout 4", own_path);
	CHECK_EQ(parse(line, &options), 0);
	CHECK_EQ(options.timeout_s, 4);
	CHECK_EQ(options.ghost_limit_bytes, 2 << 20);
	CHECK(!options.shell_job);
	CHECK_STR(options.images_dir, "a b");
	options_free(&options);

	write_file(own_path, "dump\n");
	snprintf(line, sizeof(line), "--config %s check", own_path);
	check_refused(line, true);
	write_file(own_path, "timeout 1 2\n");
	check_refused(line, true);
	unlink(own_path);
	check_accepted(line);
	unsetenv("CRIU_CONFIG_FILE");
	unlink(env_path);
	rmdir(dir);
}

static void test_help(void)
{
	struct options options;

	CHECK_EQ(parse("dump --no-such --help", &options), 1);
	options_free(&options);
	CHECK_EQ(parse("-V", &options), 1);
	options_free(&options);
}

int main(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	/* Refusals are wanted here. */
	dup2(null, STDERR_FILENO);
	unsetenv("CRIU_CONFIG_FILE");
	unsetenv("CRIU_FAULT");
	setenv("HOME", "/nonexistent", 1);
	if (log_open(AT_FDCWD, NULL))
		return 1;
	test_defaults();
	test_dump();
	test_irmap();
	test_unix();
	test_restore();
	test_verbosity();
	test_refused();
	test_harmless();
	test_config_words();
	test_config_order();
	test_help();
	return test_end();
}
