#include <errno.h>

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

/* A reason once, however often it is found. */
static void test_said_once(void)
{
	struct refusals refusals = { .keep = true };

	for (int i = 0; i < 2; i++) {
		refuse(&refusals, "one");
		refuse(&refusals, "two");
	}
	CHECK_EQ(refusals.n, 2);
	CHECK_EQ(refusals.kept.n, 2);
	refusals_free(&refusals);
}

/* What a task has may be refused and the task still be asked; what it is, not. */
static void test_silent(void)
{
	struct refusals refusals = { .keep = true };

	{
		LOG_SCOPE("task", 41);
		LOG_SCOPE("fd", 7);
		refuse(&refusals, "it is a ring");
	}
	CHECK(!refusals_is_silent(&refusals, 41));
	{
		LOG_SCOPE("task", 42);
		refuse(&refusals, "it is in another namespace");
	}
	{
		LOG_SCOPE("task", 43);
		LOG_SCOPE("thread", 44);
		refuse(&refusals, "it is in another namespace");
	}
	CHECK(refusals_is_silent(&refusals, 42));
	CHECK(refusals_is_silent(&refusals, 43));
	CHECK(!refusals_is_silent(&refusals, 44));
	CHECK(!refusals_is_silent(&refusals, 41));
	refusals_free(&refusals);
}

static void test_if_refusal(void)
{
	struct refusals refusals = { .keep = true };

	log_hold_errors(true);
	CHECK_EQ(refuse_if_refusal(&refusals, fail(ENOMEM, "no memory")), -ENOMEM);
	CHECK_EQ(refusals.n, 0);
	CHECK_EQ(refuse_if_refusal(&refusals, fail(ENOTSUP, "unknown")), 0);
	log_hold_errors(false);
	CHECK_EQ(refusals.n, 1);
	refusals_free(&refusals);
}

int main(void)
{
	test_held();
	test_kept();
	test_said_once();
	test_silent();
	test_if_refusal();
	return test_end();
}
