/* A page in a pipe is a page in the kernel's hands: the seal against writing has to wait for it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>

#include "mem/memfd-seals.h"
#include "util/mem.h"
#include "util/test.h"

#define HOLD_MS 400

static int make(void)
{
	int fd = memfd_create("pinned", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	CHECK(fd >= 0 && !ftruncate(fd, (off_t)PAGE_BYTES) && pwrite(fd, "content", 8, 0) == 8);
	return fd;
}

/* Into the pipe goes the page itself, not a copy; no mapping is left. */
static bool pin(int fd, int pipe_fd)
{
	char *map = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	struct iovec page = { map, PAGE_BYTES };

	return map != MAP_FAILED && vmsplice(pipe_fd, &page, 1, 0) == (ssize_t)PAGE_BYTES && !munmap(map, PAGE_BYTES);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct release {
	int pipe_fd;
	int64_t at_ms; /* when it was done */
};

static void *release_later(void *arg)
{
	const struct timespec hold = { .tv_nsec = HOLD_MS * 1000000L };
	struct release *release = arg;
	char page[PAGE_BYTES];

	nanosleep(&hold, NULL);
	release->at_ms = now_ms();
	CHECK_EQ(read(release->pipe_fd, page, sizeof(page)), sizeof(page));
	return NULL;
}

static void test_pinned(void)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK;
	auto_fd int fd = make();
	struct release release;
	pthread_t thread;
	int ends[2];

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	if (!CHECK(pin(fd, ends[1])))
		return;
	/* The trap is there: one try is not enough. */
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, seals), -1);
	CHECK_EQ(errno, EBUSY);
	release.pipe_fd = ends[0];
	CHECK_EQ(pthread_create(&thread, NULL, release_later, &release), 0);
	CHECK_EQ(memfd_add_seals(fd, seals, "pinned"), 0);
	CHECK(now_ms() >= release.at_ms);
	pthread_join(thread, NULL);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), seals);
	CHECK_EQ(pwrite(fd, "x", 1, 0), -1);
	close(ends[0]);
	close(ends[1]);
}

static void test_plain(void)
{
	auto_fd int fd = make();

	CHECK_EQ(memfd_add_seals(fd, F_SEAL_GROW | F_SEAL_SEAL, "plain"), 0);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_GROW | F_SEAL_SEAL);
	/* Those it has need no permission; others are refused at once. */
	CHECK_EQ(memfd_add_seals(fd, F_SEAL_GROW, "plain"), 0);
	CHECK_EQ(memfd_add_seals(fd, F_SEAL_WRITE, "plain"), -EPERM);
	CHECK_EQ(memfd_add_seals(STDIN_FILENO, F_SEAL_WRITE, "none"), -EINVAL);
}

int main(void)
{
	test_pinned();
	test_plain();
	return test_end();
}
