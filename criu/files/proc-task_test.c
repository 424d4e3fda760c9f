#include <string.h>

#include "files/proc-task.h"
#include "util/test.h"

static void test_parse(void)
{
	struct proc_task_file file;

	CHECK(proc_task_parse("41", &file));
	CHECK_EQ(file.pid, 41);
	CHECK_EQ(file.tid, 41);
	CHECK(!strcmp(file.rest, ""));
	CHECK(proc_task_parse("41/fd/3", &file));
	CHECK(!strcmp(file.rest, "fd/3"));
	CHECK(proc_task_parse("41/task/42/fd/3", &file));
	CHECK_EQ(file.pid, 41);
	CHECK_EQ(file.tid, 42);
	CHECK(!strcmp(file.rest, "fd/3"));
	CHECK(proc_task_parse("41/task", &file));
	CHECK_EQ(file.tid, 41);
	CHECK(proc_task_parse("41/tasks/7", &file));
	CHECK_EQ(file.tid, 41);
	CHECK(!proc_task_parse("self/stat", &file));
	CHECK(!proc_task_parse("41x/stat", &file));
	CHECK(!proc_task_parse("0", &file));
	CHECK(!proc_task_parse("", &file));
	CHECK(!proc_task_parse("4294967337/stat", &file));
	CHECK(!proc_task_parse("sys/kernel/41", &file));
}

static void test_owns(void)
{
	struct model model;
	char path[64];

	model_init(&model);
	snprintf(path, sizeof(path), "/proc/%d/stat", getpid());
	CHECK(!proc_task_owns(&model, path));
	CHECK(!proc_task_owns(&model, "/proc/stat"));
	CHECK(!proc_task_owns(&model, "/tmp/41"));
	model_free(&model);
}

int main(void)
{
	test_parse();
	test_owns();
	return test_end();
}
