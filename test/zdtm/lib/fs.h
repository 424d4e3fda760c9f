#ifndef ZDTM_FS_H
#define ZDTM_FS_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/* The kernel's own coding of a device number: 12 bits of major above 20 of minor. */
#define KDEV_MINORBITS	     20
#define KDEV_MINORMASK	     ((1U << KDEV_MINORBITS) - 1)
#define MKKDEV(major, minor) (((unsigned)(major) << KDEV_MINORBITS) | (unsigned)(minor))

static inline uint32_t kdev_major(uint32_t kdev)
{
	return kdev >> KDEV_MINORBITS;
}

static inline uint32_t kdev_minor(uint32_t kdev)
{
	return kdev & KDEV_MINORMASK;
}

/* One line of /proc/self/mountinfo. */
typedef struct {
	unsigned int mnt_id;
	unsigned int parent_mnt_id;
	unsigned int s_dev;
	char root[PATH_MAX];
	char mountpoint[PATH_MAX];
	char fsname[64];
} mnt_info_t;

/* The mount the current directory lies on, to be given to mnt_info_free(); NULL on error. */
extern mnt_info_t *get_cwd_mnt_info(void);
extern void mnt_info_free(mnt_info_t **mnt);

/* The current directory in malloc()ed @ret_path, provided that files can be made in it; 0 or -1. */
extern int get_cwd_check_perm(char **ret_path);

#endif
