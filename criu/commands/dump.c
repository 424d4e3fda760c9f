#include <errno.h>
#include <fcntl.h>

#include "checkpoint/dump.h"
#include "commands/command.h"
#include "commands/worker.h"
#include "util/log.h"

/* The exit status mainline gives a dump whose post-dump script failed. */
#define EXIT_SCRIPT_FAILED 255

struct dump_work {
	const struct options *options;
	const struct kernel_features *features;
};

static int work(void *arg)
{
	const struct dump_work *dump = arg;
	auto_fd int work_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct image_dir dir;
	int err;

	err = work_fd < 0 ? fail_errno("cannot open the work directory")
			  : image_dir_open(dump->options->images_dir, &dir);
	if (err)
		return err;
	err = checkpoint_dump(dump->options, dump->features, &dir, work_fd);
	image_dir_close(&dir);
	return err;
}

int command_dump(const struct options *options, const struct kernel_features *features)
{
	struct dump_work dump = { options, features };
	int err;

	if (!options->tree)
		return fail(EINVAL, "which tree? Give its root's PID with --tree (-t)");
	err = worker_run(work, &dump);
	return err == -ECANCELED ? EXIT_SCRIPT_FAILED : err;
}
