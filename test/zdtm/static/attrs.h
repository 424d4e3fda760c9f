#ifndef ZDTM_ATTRS_H
#define ZDTM_ATTRS_H

/* Times and extended attributes of an open file. Include zdtmtst.h first. */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define ACL_NAME "system.posix_acl_access"
#define ACL_MODE 0651 /* what a file shows that has it */

/* As the kernel takes it: POSIX ACLs, version 2. */
static const struct {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} entries[6];
} acl = { 2,
	  {
		  { 0x01, 06, ~0u },  /* owner */
		  { 0x02, 07, 1234 }, /* user 1234 */
		  { 0x04, 00, ~0u },  /* group */
		  { 0x08, 04, 5678 }, /* group 5678 */
		  { 0x10, 05, ~0u },  /* mask, which the mode shows as the group's */
		  { 0x20, 01, ~0u },  /* others */
	  } };

static inline bool has_xattr(int fd, const char *name, const void *value, size_t bytes)
{
	char found[256];

	return fgetxattr(fd, name, found, sizeof(found)) == (ssize_t)bytes && !memcmp(found, value, bytes);
}

/* 2001-09-09 01:46:40, with nanoseconds that every filesystem here can keep. */
static const struct timespec attr_times[2] = { { 1000000000, 123456789 }, { 1000000001, 987654321 } };

/* 1, with a message, unless the times are attr_times. */
static inline int times_changed(int fd)
{
	struct stat now;

	if (fstat(fd, &now))
		return pr_perror("fstat");
	if (memcmp(&now.st_atim, &attr_times[0], sizeof(now.st_atim)))
		return pr_err("accessed at %ld.%09ld\n", now.st_atim.tv_sec, now.st_atim.tv_nsec);
	if (memcmp(&now.st_mtim, &attr_times[1], sizeof(now.st_mtim)))
		return pr_err("modified at %ld.%09ld\n", now.st_mtim.tv_sec, now.st_mtim.tv_nsec);
	return 0;
}

#endif
