#include <errno.h>
#include <linux/aio_abi.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/features.h"
#include "util/mem.h"
#include "util/test.h"

static const struct feature_on_demand *find(const char *name)
{
	for (size_t i = 0; i < features_on_demand_len; i++)
		if (!strcmp(features_on_demand[i].name, name))
			return &features_on_demand[i];
	return NULL;
}

/* One name has one answer, and every lack a reason. */
static void test_tables(void)
{
	for (size_t i = 0; i < feature_table_len; i++) {
		CHECK(!find(feature_table[i].name));
		CHECK(*feature_table[i].needed_for);
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(feature_table[i].name, feature_table[k].name));
	}
	for (size_t i = 0; i < features_on_demand_len; i++) {
		CHECK(find(features_on_demand[i].name) == &features_on_demand[i]);
		CHECK(*features_on_demand[i].needed_for);
	}
}

static size_t count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	size_t n = 0;
	int c;

	while (maps && (c = fgetc(maps)) != EOF)
		n += c == '\n';
	if (maps)
		fclose(maps);
	return n;
}

/* Every kernel from 5.6 on that has asynchronous I/O at all can move a ring. Asking leaves nothing behind. */
static void test_aio_remap(void)
{
	const struct feature_on_demand *feature = find("aio_remap");
	aio_context_t ctx = 0;
	size_t before;

	if (!CHECK(feature))
		return;
	if (syscall(SYS_io_setup, 1, &ctx)) {
		CHECK(!feature->probe());
		TEST_SKIP("no asynchronous I/O");
		return;
	}
	CHECK_EQ(syscall(SYS_io_destroy, ctx), 0);
	CHECK(feature->probe());
	before = count_mappings();
	CHECK(feature->probe());
	CHECK_EQ(count_mappings(), before);
}

static void test_unix_file(void)
{
	const struct feature_on_demand *feature = find("sk_unix_file");
	auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!CHECK(feature) || !CHECK(fd >= 0))
		return;
	/* The request needs CAP_NET_ADMIN. */
	if (geteuid())
		TEST_SKIP("only root can open the file of a socket");
	else
		CHECK(feature->probe());
}

int main(void)
{
	test_tables();
	test_aio_remap();
	test_unix_file();
	return test_end();
}
