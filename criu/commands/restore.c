#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "commands/command.h"
#include "commands/job.h"
#include "restore/restore.h"
#include "util/log.h"

static int become_program(char *const *argv)
{
	/* Ignored by us, which a program would inherit. */
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	return fail_errno("cannot execute %s (option --exec-cmd)", argv[0]);
}

int command_restore(const struct options *options, const struct kernel_features *features)
{
	auto_fd int work_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct image_dir dir;
	pid_t root;
	int err;

	err = work_fd < 0 ? fail_errno("cannot open the work directory") : image_dir_open(options->images_dir, &dir);
	if (err)
		return err;
	err = restore_tree(options, features, &dir, work_fd, &root);
	image_dir_close(&dir);
	if (err)
		return err;
	pr_info("restored task %d and its descendants", root);
	if (options->exec_cmd)
		return become_program(options->exec_cmd);
	if (!options->restore_detached)
		job_wait(root, options->shell_job);
	return 0;
}
