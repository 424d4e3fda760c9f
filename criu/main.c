/*
 * Start-up, in the order that scripts rely on: options, capabilities, images
 * directory, work directory, log, kernel features, contradictions, command.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands/command.h"
#include "kernel/proc.h"
#include "util/log.h"

#define CAP_SYS_ADMIN_BIT	   21
#define CAP_CHECKPOINT_RESTORE_BIT 40

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_COMMAND_REMOVED = 255,
};

/*
 * Callers may start us with descriptors 0 to 2 closed. What we open next would
 * take their numbers, and messages would be written into it.
 */
static int hold_standard_fds(void)
{
	int fd;

	do {
		/* Not close-on-exec: programs we start want three descriptors, too. */
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int check_capabilities(const struct options *options)
{
	const uint64_t either = 1ULL << CAP_SYS_ADMIN_BIT | 1ULL << CAP_CHECKPOINT_RESTORE_BIT;
	struct proc_status status;
	uint64_t effective;
	int err = proc_read_status(getpid(), 0, &status);

	if (err)
		return err;
	effective = status.cap_eff;
	proc_status_free(&status);
	if (!(effective & either))
		return fail(EPERM, "criu needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN");
	if (geteuid() && !options->unprivileged)
		return fail(EPERM, "criu is not run by uid 0; --unprivileged allows that");
	return 0;
}

/*
 * The images directory is only checked here; commands open it as they need
 * it. Both paths are relative to the directory criu was started in, so the
 * images directory must not be lost with the change to another work directory.
 */
static int enter_directories(struct options *options)
{
	auto_fd int images = open(options->images_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *work_dir = options->work_dir ? options->work_dir : options->images_dir;
	char *absolute;

	if (images < 0)
		return fail_errno("cannot open the images directory %s", options->images_dir);
	absolute = realpath(options->images_dir, NULL);
	if (!absolute)
		return fail_errno("cannot resolve the images directory %s", options->images_dir);
	options->images_dir = arena_strdup(options->arena, absolute);
	free(absolute);
	if (chdir(work_dir))
		return fail_errno("cannot change to the work directory %s", work_dir);
	return 0;
}

static const struct {
	enum command command;
	int (*run)(const struct options *options, const struct kernel_features *features);
} commands[] = {
	{ COMMAND_DUMP, command_dump },	  { COMMAND_RESTORE, command_restore }, { COMMAND_INSPECT, command_inspect },
	{ COMMAND_CHECK, command_check }, { COMMAND_CONVERT, command_convert },
};

static int run_command(const struct options *options)
{
	struct kernel_features features;
	int err;

	features_probe(&features);
	err = options_check(options);
	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].command == options->command)
			return commands[i].run(options, &features);
	return fail(EINVAL, "command %s", options->command_name);
}

static int start(struct options *options)
{
	int err = check_capabilities(options);

	if (!err)
		err = enter_directories(options);
	if (!err)
		err = log_open(AT_FDCWD, options->log_file);
	return err ? err : run_command(options);
}

static int run(int argc, char **argv)
{
	struct options options;
	int ret = options_parse(argc, argv, &options);

	if (ret > 0) {
		ret = EXIT_DONE;
	} else if (!ret && options.command == COMMAND_REMOVED) {
		pr_err("the command %s has been removed", options.command_name);
		ret = EXIT_COMMAND_REMOVED;
	} else if (!ret) {
		log_set_level(options.log_level);
		ret = start(&options);
	}
	options_free(&options);
	return ret;
}

int main(int argc, char **argv)
{
	int ret;

	if (hold_standard_fds())
		return EXIT_FAILED;
	signal(SIGPIPE, SIG_IGN);
	/* Whoever started us may ignore it: then no child, of ours or of a puppet, could be waited for. */
	signal(SIGCHLD, SIG_DFL);
	ret = run(argc, argv);
	log_close();
	return ret < 0 ? EXIT_FAILED : ret;
}
