#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"

const char *test_doc =
	"Memfds that are only open: odd name, odd size, holes, data above 4 GiB, empty, position and close-on-exec";

#define SPARSE_SIZE ((6L << 30) + 123)

static struct {
	const char *name;
	unsigned int flags;
	off_t size, data_at, data_len, pos;
	int fd;
	struct fd_state state;
} memfds[] = {
	{ .name = "plain", .flags = 0, .size = 3 * PG, .data_at = 0, .data_len = 3 * PG, .pos = 100 },
	{ .name = "odd name/with (deleted)\nnewline \\ and \xc3\xa4",
	  .flags = MFD_CLOEXEC,
	  .size = 5000,
	  .data_at = 0,
	  .data_len = 5000,
	  .pos = 4999 },
	{ .name = "", .flags = 0, .size = 1, .data_at = 0, .data_len = 1, .pos = 1 },
	{ .name = "empty", .flags = MFD_CLOEXEC, .size = 0, .data_at = 0, .data_len = 0, .pos = 77 },
	{ .name = "hole at the end", .flags = 0, .size = 1 << 20, .data_at = 0, .data_len = PG, .pos = 0 },
	{ .name = "sparse",
	  .flags = 0,
	  .size = SPARSE_SIZE,
	  .data_at = (5L << 30) + 5 * PG,
	  .data_len = 2 * PG,
	  .pos = SPARSE_SIZE - 1 },
};

int main(int argc, char **argv)
{
	char data[3 * PG], back[3 * PG];
	unsigned int i;

	test_init(argc, argv);

	pattern_fill(data, sizeof(data), 1);
	for (i = 0; i < ARRAY_SIZE(memfds); i++) {
		int fd = memfd_create(memfds[i].name, memfds[i].flags);

		if (fd < 0 || ftruncate(fd, memfds[i].size) ||
		    pwrite(fd, data, memfds[i].data_len, memfds[i].data_at) != memfds[i].data_len ||
		    lseek(fd, memfds[i].pos, SEEK_SET) != memfds[i].pos || fd_state_get(fd, &memfds[i].state))
			return pr_perror("memfd %u", i);
		memfds[i].fd = fd;
	}

	test_daemon();
	test_waitsig();

	for (i = 0; i < ARRAY_SIZE(memfds); i++) {
		int fd = memfds[i].fd;

		if (fd_state_changed(fd, &memfds[i].state, FD_NEW_INODE))
			return fail("memfd %u changed", i);
		if (pread(fd, back, memfds[i].data_len, memfds[i].data_at) != memfds[i].data_len ||
		    memcmp(data, back, memfds[i].data_len))
			return fail("memfd %u: content changed", i);
		if (memfds[i].data_len && memfds[i].data_at &&
		    (lseek(fd, 0, SEEK_DATA) != memfds[i].data_at ||
		     lseek(fd, memfds[i].data_at, SEEK_HOLE) != memfds[i].data_at + memfds[i].data_len))
			return fail("memfd %u: holes were filled or moved", i);
		if (memfds[i].state.st.st_blocks == 0 && memfds[i].data_len == 0) {
			struct stat st;

			if (fstat(fd, &st) || st.st_blocks)
				return fail("memfd %u takes memory", i);
		}
	}

	pass();
	return 0;
}
