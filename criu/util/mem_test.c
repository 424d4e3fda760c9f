#include <sys/wait.h>

#include "util/mem.h"
#include "util/test.h"

static bool all_zero(const unsigned char *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (data[i])
			return false;
	return true;
}

static void test_arena(void)
{
	struct arena *arena = arena_new();
	int wrong = 0;

	/* Every size up to beyond a chunk: zeroed, aligned, not overlapping. */
	for (size_t bytes = 0; bytes < 100000; bytes += bytes < 300 ? 1 : 777) {
		unsigned char *data = arena_alloc(arena, bytes);

		wrong += (uintptr_t)data % 16 != 0;
		wrong += !all_zero(data, bytes);
		memset(data, 0xa5, bytes);
	}
	CHECK_EQ(wrong, 0);
	CHECK_STR(arena_strdup(arena, "abc"), "abc");
	CHECK_STR(arena_printf(arena, "%s-%d", "pages", 7), "pages-7");
	CHECK(!memcmp(arena_memdup(arena, "x\0y", 3), "x\0y", 3));
	CHECK(arena_memdup(arena, NULL, 0) != NULL);
	arena_free(arena);
}

static void test_vec(void)
{
	VEC(int) numbers = { 0 };
	int wrong = 0;

	for (int i = 0; i < 1000; i++) {
		int *number = VEC_ADD(&numbers);

		wrong += *number != 0;
		*number = i;
	}
	for (int i = 0; i < 1000; i++)
		wrong += numbers.data[i] != i;
	CHECK_EQ(wrong, 0);
	CHECK_EQ(numbers.n, 1000);
	VEC_FREE(&numbers);
	CHECK(!numbers.data && !numbers.n && !numbers.cap);
}

static void test_ownership(void)
{
	char *text = xasprintf("%d", 12);
	char *taken = take_ptr(text);
	int fd = 5;

	CHECK(!text);
	CHECK_STR(taken, "12");
	CHECK_EQ(take_fd(&fd), 5);
	CHECK_EQ(fd, -1);
	free(taken);
}

/* Sizes that overflow must end the process, not wrap around. */
static void test_overflow(void)
{
	pid_t child = fork();
	int status = 0;

	if (!child) {
		struct arena *arena = arena_new();

		close(STDERR_FILENO);
		arena_array(arena, uint64_t, SIZE_MAX / 4);
		_exit(0);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 1);
}

int main(void)
{
	test_arena();
	test_vec();
	test_ownership();
	test_overflow();
	return test_end();
}
