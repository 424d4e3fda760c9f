#include "util/refusals.h"
#include "util/test.h"

static void test_kept(void)
{
	struct refusals refusals = { .keep = true };

	refuse(&refusals, "of nobody: %d", 1);
	{
		LOG_SCOPE("task", 41);
		LOG_SCOPE("fd", 7);
		refuse_object(&refusals, 3, "a\nname");
	}
	log_hold_errors(true);
	pr_err("the first");
	CHECK_EQ(fail(EIO, "held"), -EIO);
	refuse_failed(&refusals);
	log_hold_errors(false);

	CHECK_EQ(refusals.n, 3);
	CHECK_EQ(refusals.kept.n, 3);
	CHECK_STR(refusals.kept.data[0].text, "of nobody: 1");
	CHECK_EQ(refusals.kept.data[0].task, -1);
	CHECK_EQ(refusals.kept.data[0].object, 0);
	CHECK_STR(refusals.kept.data[1].text, "task 41: fd 7: a?name");
	CHECK_EQ(refusals.kept.data[1].task, 41);
	CHECK_EQ(refusals.kept.data[1].object, 3);
	CHECK_STR(refusals.kept.data[2].text, "held: Input/output error");
	CHECK_STR(log_first_error(), "");
	refusals_free(&refusals);
	CHECK_EQ(refusals.n, 0);
}

static void test_held(void)
{
	auto_free char *text = NULL;

	log_hold_errors(true);
	text = log_held_error();
	CHECK_STR(text, "");
	log_hold_errors(false);
	CHECK_EQ(log_scope_id("task"), -1);
}

int main(void)
{
	test_held();
	test_kept();
	return test_end();
}
