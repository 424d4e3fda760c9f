#ifndef ZDTM_HUGE_H
#define ZDTM_HUGE_H

/* Memory in huge pages of 2 MiB, of which the runner has put some into the pool. Include zdtmtst.h first. */

#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "memprop.h"
#include "fileprop.h"

#define HUGE	 (2UL << 20)
#define HUGE_2MB (21U << 26)

/* How many of its pages an object has; -1 with a message on error. */
static inline long huge_pages_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st)) {
		pr_perror("fstat");
		return -1;
	}
	return st.st_blocks * 512 / (long)HUGE;
}

/* A hugetlbfs on a new directory; the mount namespace is the test's. 0, or 1 with a message. */
static inline int huge_mount(const char *dir)
{
	if (mkdir(dir, 0755) || mount("hugetlbfs", dir, "hugetlbfs", 0, "pagesize=2M"))
		return pr_perror("mount a hugetlbfs on %s", dir);
	return 0;
}

/* Whether its pages are really huge. */
static inline int huge_mapped(const void *at)
{
	return map_has_flag(at, "ht") == 1;
}

#endif
