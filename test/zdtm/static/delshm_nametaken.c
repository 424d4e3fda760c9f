#include "zdtmtst.h"
#include "delshm.h"

const char *test_doc = "The name of a deleted shared file belongs to another file now, which must stay untouched";

#define SIZE (4 * PG)

/* The name of the second one reads in maps exactly as the deleted file does. */
static const char *const live_names[2] = { "name", "name (deleted)" };

int main(int argc, char **argv)
{
	struct stat was[2], now;
	struct fd_state state;
	char *map, *live[2];
	int fd, live_fd, i;
	size_t dir_len;
	static struct map_line line;

	test_init(argc, argv);

	map = delshm_start("name", SIZE, &fd);
	if (!map || delshm_unlink("name"))
		return 1;
	pattern_fill(map, SIZE, 1);
	for (i = 0; i < 2; i++) {
		live_fd = delshm_create(live_names[i], 2 * PG);
		if (live_fd < 0)
			return 1;
		live[i] = delshm_map(live_fd, 2 * PG, PROT_READ | PROT_WRITE, 0);
		if (!live[i])
			return 1;
		pattern_fill(live[i], 2 * PG, 10 + i);
		if (fsync(live_fd) || fstat(live_fd, &was[i]))
			return pr_perror("live file");
		close(live_fd);
	}
	if (fd_state_get(fd, &state))
		return 1;

	test_daemon();
	test_waitsig();

	for (i = 0; i < 2; i++) {
		if (stat(delshm_path(live_names[i]), &now))
			return fail("%s is gone", live_names[i]);
		if (now.st_ino != was[i].st_ino || now.st_nlink != 1 || now.st_size != was[i].st_size ||
		    now.st_mtim.tv_sec != was[i].st_mtim.tv_sec || now.st_mtim.tv_nsec != was[i].st_mtim.tv_nsec ||
		    now.st_mode != was[i].st_mode || now.st_uid != was[i].st_uid)
			return fail("%s was touched", live_names[i]);
		if (pattern_bad(live[i], 2 * PG, 10 + i) >= 0)
			return fail("%s shows something else", live_names[i]);
		live_fd = open(delshm_path(live_names[i]), O_RDWR);
		if (live_fd < 0 || map_is_fd(live[i], live_fd) != 1)
			return fail("%s is not mapped any more", live_names[i]);
		close(live_fd);
	}
	if (pattern_bad(map, SIZE, 1) >= 0 || map_is_fd(map, fd) != 1 || map_is_map(map, live[0]) ||
	    map_is_map(map, live[1]))
		return fail("the deleted file became another one");
	if (fstat(fd, &now) || now.st_nlink || now.st_dev != state.st.st_dev || now.st_size != SIZE)
		return fail("the deleted file has %lu links and %ld bytes", now.st_nlink, now.st_size);
	/* Its old name is not free, so it may have got another one; but there, and deleted. */
	dir_len = strlen(delshm_dir);
#ifdef DELSHM_ON_DISK
	if (map_find(map, &line) || !memmem(line.path, strlen(line.path), delshm_dir, dir_len))
#else
	if (map_find(map, &line) || strncmp(line.path, delshm_dir, dir_len))
#endif
		return fail("the deleted file is now called %s", line.path);
	if (strlen(line.path) < 10 || strcmp(line.path + strlen(line.path) - 10, " (deleted)"))
		return fail("the deleted file is now called %s", line.path);
	for (i = 0; i < 2; i++)
		if (delshm_unlink(live_names[i]))
			return fail("unlink");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
