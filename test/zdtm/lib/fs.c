#include <fcntl.h>

#include "fs.h"
#include "zdtmtst.h"

static bool parse_mountinfo_line(const char *line, mnt_info_t *mnt)
{
	unsigned maj, min;
	const char *rest;

	if (sscanf(line, "%u %u %u:%u %4095s %4095s", &mnt->mnt_id, &mnt->parent_mnt_id, &maj, &min, mnt->root,
		   mnt->mountpoint) != 6)
		return false;
	mnt->s_dev = MKKDEV(maj, min);
	/* A variable number of optional fields ends with a lone dash. */
	rest = strstr(line, " - ");
	return rest && sscanf(rest, " - %63s", mnt->fsname) == 1;
}

/* Which mount it is can't be told from paths, since mounts may be stacked. */
static int cwd_mnt_id(unsigned *ret_id)
{
	char path[64], buf[256], *id;
	int fd = open(".", O_PATH | O_DIRECTORY);

	if (fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (read_value(path, buf, sizeof(buf))) {
		close(fd);
		return -1;
	}
	close(fd);
	id = strstr(buf, "mnt_id:");
	return id && sscanf(id, "mnt_id: %u", ret_id) == 1 ? 0 : -1;
}

mnt_info_t *get_cwd_mnt_info(void)
{
	mnt_info_t *mnt = malloc(sizeof(*mnt));
	char *line = NULL;
	size_t size = 0;
	unsigned id;
	FILE *f;

	f = fopen("/proc/self/mountinfo", "r");
	if (!mnt || !f || cwd_mnt_id(&id))
		goto not_found;
	while (getline(&line, &size, f) > 0) {
		if (parse_mountinfo_line(line, mnt) && mnt->mnt_id == id) {
			free(line);
			fclose(f);
			return mnt;
		}
	}
not_found:
	pr_perror("mount of the current directory");
	if (f)
		fclose(f);
	free(line);
	free(mnt);
	return NULL;
}

void mnt_info_free(mnt_info_t **mnt)
{
	free(*mnt);
	*mnt = NULL;
}

int get_cwd_check_perm(char **ret_path)
{
	char *cwd = get_current_dir_name();

	if (!cwd) {
		pr_perror("getcwd");
		return -1;
	}
	if (access(cwd, R_OK | W_OK | X_OK)) {
		pr_perror("no files can be made in %s", cwd);
		free(cwd);
		return -1;
	}
	*ret_path = cwd;
	return 0;
}
