/*
 * zoo - one process tree with one of every kind that has an image of its own.
 *
 *   zoo DIR	work in DIR; "ready" on stdout when all animals are in
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(call)                                                                                                    \
	do {                                                                                                           \
		if ((long)(call) == -1) {                                                                              \
			perror(#call);                                                                                 \
			exit(2);                                                                                       \
		}                                                                                                      \
	} while (0)

static void *thread_main(void *arg)
{
	prctl(PR_SET_NAME, "zoo-thread");
	pause();
	return arg;
}

static void make_files(void)
{
	static char block[20000];
	int fd;

	CHECK(fd = open("plain", O_RDWR | O_CREAT | O_APPEND, 0640));
	CHECK(write(fd, "0123456789", 10));
	CHECK(lseek(fd, 4, SEEK_SET));
	CHECK(dup(fd));
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
	CHECK(open(".", O_RDONLY | O_DIRECTORY));
	CHECK(open("plain", O_PATH));
	CHECK(open("/dev/null", O_WRONLY));

	/* deleted: a small and a large ghost, an empty one */
	CHECK(fd = open("ghost-small", O_RDWR | O_CREAT, 0600));
	CHECK(write(fd, "boo", 3));
	CHECK(unlink("ghost-small"));
	memset(block, 'x', sizeof(block));
	CHECK(fd = open("ghost-large", O_RDWR | O_CREAT, 0600));
	CHECK(pwrite(fd, block, sizeof(block), 1 << 20));
	CHECK(unlink("ghost-large"));
	CHECK(fd = open("ghost-empty", O_RDWR | O_CREAT, 0600));
	CHECK(unlink("ghost-empty"));
}

static void make_memory(void)
{
	char *mem;
	int fd;

	CHECK(mem = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	strcpy(mem + 8192, "shared");
	CHECK(fd = memfd_create("zoo-memfd", MFD_ALLOW_SEALING));
	CHECK(ftruncate(fd, 65536));
	CHECK(pwrite(fd, "sealed", 6, 4096));
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	CHECK(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	CHECK(fd = open("/dev/shm/zoo-shared", O_RDWR | O_CREAT | O_EXCL, 0600));
	CHECK(ftruncate(fd, 300000)); /* no multiple of the page size */
	CHECK(mem = mmap(NULL, 300000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	strcpy(mem + 100000, "shared and deleted");
	CHECK(unlink("/dev/shm/zoo-shared"));

	CHECK(fd = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600));
	CHECK(mem = shmat(fd, NULL, 0));
	strcpy(mem + 5000, "attached");
	CHECK(shmctl(fd, IPC_RMID, NULL));

	CHECK(mem = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	memset(mem, 1, 65536);
	CHECK(mlock(mem, 4096));
	CHECK(mprotect(mem + 8192, 4096, PROT_NONE));
}

/* The terminal of a session, with lines, half a line and output that wait; and a slave that is hung up. */
static void make_terminals(void)
{
	int ptys[2], slaves[2], unlock = 0;
	pid_t pid;

	for (int i = 0; i < 2; i++) {
		CHECK(ptys[i] = open("/dev/ptmx", O_RDWR | O_NOCTTY));
		CHECK(ioctl(ptys[i], TIOCSPTLCK, &unlock));
		CHECK(slaves[i] = ioctl(ptys[i], TIOCGPTPEER, O_RDWR | O_NOCTTY));
	}
	CHECK(write(ptys[0], "line\n\004half", 10));
	CHECK(write(slaves[0], "output", 6));
	close(ptys[1]);
	CHECK(pid = fork());
	if (!pid) {
		CHECK(setsid());
		CHECK(ioctl(slaves[0], TIOCSCTTY, 0));
		CHECK(open("/dev/tty", O_RDWR));
		for (;;)
			pause();
	}
}

static void make_pipes(void)
{
	int p[2];

	CHECK(pipe(p));
	CHECK(write(p[1], "in the pipe", 11));
	CHECK(pipe(p));
	CHECK(fcntl(p[0], F_SETPIPE_SZ, 1 << 17));
	CHECK(mkfifo("fifo", 0600));
	CHECK(p[0] = open("fifo", O_RDWR));
	CHECK(write(p[0], "in the fifo", 11));
	CHECK(p[0] = eventfd(42, EFD_SEMAPHORE | EFD_NONBLOCK));
}

static void make_locks(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5 };
	int fd;

	CHECK(fd = open("locked", O_RDWR | O_CREAT, 0600));
	CHECK(flock(fd, LOCK_SH));
	CHECK(fcntl(fd, F_SETLK, &lock));
	lock.l_type = F_RDLCK;
	lock.l_start = 1L << 40;
	lock.l_len = 0;
	CHECK(fcntl(fd, F_OFD_SETLK, &lock));
	CHECK(fd = open("leased", O_RDONLY | O_CREAT, 0600));
	CHECK(fcntl(fd, F_SETLEASE, F_RDLCK));
}

/* Descriptors that tell of something, and one that tells of them. */
static void make_notifiers(void)
{
	struct itimerspec spec = { { 1000, 5 }, { 1000, 7 } };
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 1234 };
	sigset_t set;
	int fd, efd;

	CHECK(efd = epoll_create1(0));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	CHECK(fd = signalfd(-1, &set, SFD_NONBLOCK));
	CHECK(epoll_ctl(efd, EPOLL_CTL_ADD, fd, &event));
	CHECK(fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	CHECK(timerfd_settime(fd, 0, &spec, NULL));
	CHECK(epoll_ctl(efd, EPOLL_CTL_ADD, fd, &event));
	CHECK(fd = inotify_init1(IN_NONBLOCK));
	CHECK(inotify_add_watch(fd, "plain", IN_DELETE_SELF));
	CHECK(inotify_add_watch(fd, "/dev/shm", IN_DELETE | IN_EXCL_UNLINK));
	/* Whatever was done to "plain" before is not seen; what is done to it later would be. */
	CHECK(fd = fanotify_init(FAN_NONBLOCK, O_RDONLY));
	CHECK(fanotify_mark(fd, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, "plain"));
	CHECK(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_MODIFY, AT_FDCWD, "/dev/shm"));
	CHECK(syscall(SYS_pidfd_open, getpid(), 0));
	CHECK(open("/proc/self/ns/uts", O_RDONLY));
	CHECK(open("/proc/self/stat", O_RDONLY));
}

static void make_sockets(void)
{
	const struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "socket" };
	const struct sockaddr_nl uevents = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr cmsg;
	} control = { .cmsg = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec iov = { "with one", 8 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	const struct sockaddr_in6 anywhere = { .sin6_family = AF_INET6 };
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t here_bytes = sizeof(here);
	int pair[2], on = 1;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK(write(pair[0], "in the stream", 13));
	memcpy(CMSG_DATA(&control.cmsg), &pair[1], sizeof(int));
	CHECK(sendmsg(pair[0], &msg, 0));
	CHECK(shutdown(pair[0], SHUT_WR));
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	CHECK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	CHECK(write(pair[0], "a record", 8));
	CHECK(write(pair[0], "and another", 11));
	CHECK(pair[0] = socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK(pair[1] = socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK(bind(pair[0], (struct sockaddr *)&addr, sizeof(addr)));
	CHECK(listen(pair[0], 3));
	CHECK(connect(pair[1], (struct sockaddr *)&addr, sizeof(addr)));
	CHECK(pair[0] = socket(AF_INET6, SOCK_STREAM, 0));
	CHECK(bind(pair[0], (const struct sockaddr *)&anywhere, sizeof(anywhere)));
	CHECK(listen(pair[0], 3));
	CHECK(pair[0] = socket(AF_INET, SOCK_DGRAM, 0));
	CHECK(setsockopt(pair[0], IPPROTO_IP, IP_MULTICAST_LOOP, &(int){ 0 }, sizeof(int)));
	/* To itself. */
	CHECK(bind(pair[0], (const struct sockaddr *)&here, sizeof(here)));
	CHECK(getsockname(pair[0], (struct sockaddr *)&here, &here_bytes));
	CHECK(sendto(pair[0], "datagram", 8, 0, (const struct sockaddr *)&here, sizeof(here)));
	CHECK(pair[0] = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
	CHECK(bind(pair[0], (const struct sockaddr *)&uevents, sizeof(uevents)));
}

/* The zoo is in an IPC namespace of its own, which takes away what it leaves. */
static void make_ipc(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 100 };
	struct sembuf take = { .sem_num = 1, .sem_op = -1, .sem_flg = SEM_UNDO };
	struct {
		long type;
		char text[8];
	} message = { 3, "waiting" };
	int id;

	CHECK(id = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600));
	CHECK(semctl(id, 1, SETVAL, 3));
	CHECK(semop(id, &take, 1));
	CHECK(id = msgget(IPC_PRIVATE, IPC_CREAT | 0600));
	CHECK(msgsnd(id, &message, sizeof(message.text), 0));

	CHECK(mq_open("/zoo-named", O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
	CHECK(id = mq_open("/zoo-unlinked", O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
	CHECK(mq_send(id, "urgent", 6, 7));
	CHECK(mq_send(id, "later", 5, 1));
	CHECK(mq_unlink("/zoo-unlinked"));
}

static void make_signals(void)
{
	static char stack[65536];
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct itimerval itimer = { { 1000, 0 }, { 1000, 0 } };
	struct itimerspec spec = { { 1000, 0 }, { 1000, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	union sigval value = { .sival_int = 7 };
	timer_t timer;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK(sigqueue(getpid(), SIGRTMIN + 1, value));
	CHECK(pthread_kill(pthread_self(), SIGUSR2));
	CHECK(sigaltstack(&alt, NULL));
	CHECK(setitimer(ITIMER_VIRTUAL, &itimer, NULL));
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(timer_settime(timer, 0, &spec, NULL));
}

static void confine(void)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog prog = { 1, code };

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
}

static void make_children(void)
{
	pid_t pid;

	CHECK(pid = fork());
	if (!pid) { /* other ids, a session of its own, confined */
		CHECK(setsid());
		CHECK(setgid(58467));
		CHECK(setuid(18943));
		confine();
		for (;;)
			pause();
	}
	CHECK(pid = fork());
	if (!pid)
		_exit(3); /* a zombie */
	CHECK(waitid(P_PID, pid, NULL, WEXITED | WNOWAIT));
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 2 || chdir(argv[1])) {
		fprintf(stderr, "usage: zoo DIR\n");
		return 2;
	}
	make_files();
	make_memory();
	make_pipes();
	make_terminals();
	make_locks();
	make_sockets();
	make_children();
	make_notifiers();
	make_ipc();
	make_signals();
	if (pthread_create(&thread, NULL, thread_main, NULL))
		return 2;
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 2;
	for (;;)
		pause();
}
