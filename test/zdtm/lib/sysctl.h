#ifndef ZDTM_SYSCTL_H
#define ZDTM_SYSCTL_H

/* Read or write a one-value file such as /proc/sys/...; 0 or a negative errno. */
extern int sysctl_read_int(const char *path, int *ret);
extern int sysctl_write_int(const char *path, int value);
extern int sysctl_read_str(const char *path, char *buf, int size);
extern int sysctl_write_str(const char *path, const char *text);

#endif
