#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "commands/command.h"
#include "restore/restore.h"
#include "util/log.h"

/* Not detached: stay until everything restored is gone. */
static void wait_for_children(void)
{
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

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
		wait_for_children();
	return 0;
}
