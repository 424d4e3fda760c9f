#ifndef ZDTM_ZDTMTST_H
#define ZDTM_ZDTMTST_H

/*
 * What every test sees. A test is one process (plus what it makes) with this
 * life: test_init(), set up, test_daemon(), test_waitsig(), check, fail() or
 * pass(), return 0. Between test_daemon() and the return of test_waitsig() it
 * is dumped and restored, possibly several times.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(arr) (sizeof(arr) / sizeof((arr)[0]))
#endif

#ifndef container_of
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#endif

#ifndef TEMP_FAILURE_RETRY
#define TEMP_FAILURE_RETRY(expression)                                                                                 \
	({                                                                                                             \
		long __result;                                                                                         \
		do {                                                                                                   \
			__result = (long)(expression);                                                                 \
		} while (__result == -1 && errno == EINTR);                                                            \
		__result;                                                                                              \
	})
#endif

#ifndef PAGE_SIZE
#define PAGE_SIZE ((size_t)sysconf(_SC_PAGESIZE))
#endif

/* For stacks handed to clone(). */
#define __stack_aligned__ __attribute__((aligned(16)))

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The variable is freed, or closed if >= 0, when it goes out of scope. */
#define cleanup_free  __attribute__((cleanup(cleanup_freep)))
#define cleanup_close __attribute__((cleanup(cleanup_closep)))

/* --- Life of a test --- */

/* Optional, define both in the test; printed by --help. */
extern const char *test_doc;
extern const char *test_author;

/*
 * Parse the command line, drop to the test user, redirect the standard
 * descriptors and fork: the caller goes on in the child, a new session leader
 * whose SIGTERM sets test_go() to 0. The parent stays until test_daemon().
 * Exits with status 1 if something fails.
 */
extern void test_init(int argc, char **argv);

/* For helper programs of a test: only parse options and send output to OUTFILE.external. */
extern void test_ext_init(int argc, char **argv);

/* Declare the test ready to be dumped. Called once, by the process that returned from test_init(). */
extern void test_daemon(void);

/* 1 until SIGTERM has arrived. */
extern int test_go(void);

/* Sleep until SIGTERM has arrived; returns at once if it already has. Any thread. */
extern void test_waitsig(void);

/* Plain fork(); the number is ignored and kept for mainline's tests. */
extern int test_fork_id(int id);
#define test_fork() test_fork_id(-1)

/* Handshake after a pre-dump over ZDTM_NOTIFY_FDIN and _FDOUT; 0 or -1. */
extern int test_wait_pre_dump(void);
extern int test_wait_pre_dump_ack(void);

/* Create @outfile + @suffix, which must not exist, and send stdout and stderr there. Exits on failure. */
extern void test_log_init(const char *outfile, const char *suffix);

/* Write @pid to the pid file, atomically; 0 or -1. */
extern int write_pidfile(int pid);

/* --- Messages --- */

/* Set it in a task under strict seccomp: messages then need nothing but write(). */
extern int zdtm_seccomp;

/* Write one message of at most 2048 bytes to stderr, with time and pid; keeps errno. */
extern void test_msg(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* All have the value 1, so that "return pr_perror(...)" reports and returns; none of them exits. */
#define pr_err(format, arg...)                                                                                         \
	({                                                                                                             \
		test_msg("ERR: %s:%d: " format, __FILE__, __LINE__, ##arg);                                            \
		1;                                                                                                     \
	})
#define pr_perror(format, arg...)                                                                                      \
	({                                                                                                             \
		test_msg("ERR: %s:%d: " format " (errno = %d (%s))\n", __FILE__, __LINE__, ##arg, errno,               \
			 strerror(errno));                                                                             \
		1;                                                                                                     \
	})
#define fail(format, arg...)                                                                                           \
	({                                                                                                             \
		test_msg("FAIL: %s:%d: " format " (errno = %d (%s))\n", __FILE__, __LINE__, ##arg, errno,              \
			 strerror(errno));                                                                             \
		1;                                                                                                     \
	})

/*
 * Say, before test_daemon(), that this machine can't run the test; then go
 * test_daemon(), test_waitsig(), pass(). The runner counts it as skipped.
 */
#define skip(format, arg...) test_msg("SKIP: %s:%d: " format "\n", __FILE__, __LINE__, ##arg)
#define pass()		     test_msg("PASS\n")

/* snprintf() into an array; value 0, or 1 with a message when the text does not fit. */
#define ssprintf(arr, format, arg...)                                                                                  \
	({                                                                                                             \
		int __len = snprintf(arr, sizeof(arr), format, ##arg);                                                 \
		int __bad = __len < 0 || (size_t)__len >= sizeof(arr);                                                 \
		if (__bad)                                                                                             \
			pr_err("ssprintf: text too long for %zu bytes\n", sizeof(arr));                                \
		__bad;                                                                                                 \
	})

/* --- Options --- */

enum test_option_type {
	TEST_OPTION_bool,
	TEST_OPTION_int,
	TEST_OPTION_uint,
	TEST_OPTION_long,
	TEST_OPTION_ulong,
	TEST_OPTION_string,
};

struct test_option {
	const char *name;
	enum test_option_type type;
	void *variable;
	const char *doc;
	int required;
};

/*
 * Declare that --NAME=VALUE fills the global variable @name. The variable's
 * type is bool, int, unsigned, long, unsigned long or char *.
 */
#define TEST_OPTION(name, opt_type, doc, required)                                                                     \
	static const struct test_option __test_option_##name = { #name, TEST_OPTION_##opt_type, &name, doc,            \
								 required };                                           \
	static const struct test_option *const __test_option_ptr_##name                                                \
		__attribute__((used, section("test_options"))) = &__test_option_##name

/* Fill all declared options from the command line; prints a message and exits on error or --help. */
extern void parseargs(int argc, char **argv);

/* --- Data with a checksum --- */

/*
 * Fill @buf with random bytes of which the last four are the CRC-32 of the
 * rest. @crc is the running CRC register, ~0 at the start of a stream.
 */
extern void datagen(uint8_t *buf, unsigned len, uint32_t *crc);

/* As datagen(), without the trailer; @crc is updated over everything if not NULL. */
extern void datagen2(uint8_t *buf, unsigned len, uint32_t *crc);

/* 0 if the trailer matches, 1 if not. */
extern int datachk(const uint8_t *buf, unsigned len, uint32_t *crc);

/* Update @crc over all of @buf; returns 0. */
extern int datasum(const uint8_t *buf, unsigned len, uint32_t *crc);

/* --- Descriptors and files --- */

/* Set or clear O_NONBLOCK; the result of fcntl(). */
extern int set_nonblock(int fd, int on);

/* Copy until end of file or error; 0 at end of file, -1 on error. */
extern int pipe_in2out(int infd, int outfd, uint8_t *buf, int len);

/* Transfer exactly @len bytes; 0 or -1. */
extern int read_data(int fd, unsigned char *buf, int len);
extern int write_data(int fd, const unsigned char *buf, int len);

/* Write @text to, or read up to @size - 1 bytes from, an existing file; 0 or -1. */
extern int write_value(const char *path, const char *text);
extern int read_value(const char *path, char *buf, int size);

/* Device of the file mapped at @addr by /proc/self/maps, (dev_t)-1 if nothing is mapped there. */
extern dev_t get_mapping_dev(void *addr);

/* --- Sockets --- */

struct sockaddr_un;

struct zdtm_tcp_opts {
	bool reuseaddr;
	bool reuseport;
	int flags; /* or-ed to the socket type */
};

/* Listen on @port of all addresses; a busy port is stepped up. Descriptor or -1. */
extern int tcp_init_server(int family, int *port);
extern int tcp_init_server_with_opts(int family, int *port, struct zdtm_tcp_opts *opts);
extern int tcp_accept_server(int sock);
/* Connect to @ip; with_fd uses the socket given. Descriptor or -1. */
extern int tcp_init_client(int family, char *ip, unsigned short port);
extern int tcp_init_client_with_fd(int sock, int family, char *ip, unsigned short port);

/* Put the absolute path of @name in the current directory into @addr; 0 or -1. */
extern int unix_fill_sock_name(struct sockaddr_un *addr, const char *name);

/* --- Tasks --- */

/* Raw clone() with the same order of arguments on every architecture. */
extern int sys_clone_unified(unsigned long flags, void *child_stack, void *parent_tid, void *child_tid,
			     unsigned long newtls);

/*
 * Numbered events among relatives, over a pipe made before they fork. A
 * completion is kept until somebody waits for its number. All but wait4 need
 * no checking: they exit on failure.
 */
typedef struct {
	int seed;
	int pipes[2];
} task_waiter_t;

extern void task_waiter_init(task_waiter_t *t);
extern void task_waiter_fini(task_waiter_t *t);
extern void task_waiter_wait4(task_waiter_t *t, unsigned int lockid);
extern void task_waiter_complete(task_waiter_t *t, unsigned int lockid);
/* Completes the number that is the caller's pid. */
extern void task_waiter_complete_current(task_waiter_t *t);

#endif
