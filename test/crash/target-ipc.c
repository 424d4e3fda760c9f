/*
 * What reading takes away, and what the kernel gives back for the dead: ptys, queues of messages, semaphores.
 *
 * Streams are numbered: nothing may be lost, come twice, or come before its turn. Something waits in each nearly all the
 * time, and now the reader waits for the writer, now the writer for the reader.
 */
#include "target.h"

#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <termios.h>
#include <unistd.h>

/* --- streams ------------------------------------------------------------------ */

#define PHASE 200 /* rounds after which the faster end becomes the slower one */

struct stream {
	_Atomic uint64_t written, want;
};

/* Of two ends one is slow for a while, then the other: now the stream is full, now somebody waits for it. */
static void pace(uint64_t round, bool writer)
{
	struct timespec t = ms((round / PHASE) % 2 == writer ? 4 : 1);

	nanosleep(&t, NULL);
}

/* --- ptys: bytes as they are ---------------------------------------------------- */

#define BURST	  16
#define MOST_WAIT 64

struct pty {
	int master, slave;
};

static struct pty raw, lines;
static struct stream input, output; /* of the slave's reader, of the master's */

static void open_pty(struct pty *pty, bool canonical)
{
	struct termios settings;

	pty->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (pty->master < 0 || grantpt(pty->master) || unlockpt(pty->master))
		die("pty");
	pty->slave = open(ptsname(pty->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (pty->slave < 0 || tcgetattr(pty->slave, &settings))
		die("slave of the pty");
	if (canonical)
		settings.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	else
		cfmakeraw(&settings);
	if (tcsetattr(pty->slave, TCSANOW, &settings))
		die("tcsetattr");
}

static void write_burst(struct slot *slot, int fd, struct stream *stream)
{
	uint8_t bytes[BURST];
	long ret;

	if (stream->written - stream->want > MOST_WAIT)
		return;
	for (int i = 0; i < BURST; i++)
		bytes[i] = (uint8_t)(stream->written + i);
	while ((ret = result(write(fd, bytes, BURST))) == -EINTR)
		slot->eintr++;
	expect(slot, "bytes written", ret, BURST);
	stream->written += BURST;
}

void do_pty_write(struct slot *slot)
{
	for (;; slot->loops++) {
		write_burst(slot, raw.master, &input);
		write_burst(slot, raw.slave, &output);
		pace(slot->loops, true);
	}
}

static void read_bytes(struct slot *slot, int fd, struct stream *stream)
{
	for (;; slot->loops++) {
		uint8_t bytes[BURST / 2];
		long ret;

		while ((ret = result(read(fd, bytes, sizeof(bytes)))) == -EINTR)
			slot->eintr++;
		if (ret <= 0)
			wrong(slot, "bytes read", ret, sizeof(bytes));
		for (long i = 0; i < ret; i++)
			expect(slot, "byte of the pty", bytes[i], (uint8_t)stream->want++);
		pace(slot->loops, false);
	}
}

void do_pty_input(struct slot *slot)
{
	read_bytes(slot, raw.slave, &input);
}

void do_pty_output(struct slot *slot)
{
	read_bytes(slot, raw.master, &output);
}

/* --- ptys: lines, one of which is being typed ------------------------------------- */

static void type(struct slot *slot, const char *text)
{
	long ret;

	while ((ret = result(write(lines.master, text, strlen(text)))) == -EINTR)
		slot->eintr++;
	expect(slot, "characters typed", ret, strlen(text));
}

static void expect_line(struct slot *slot, const char *want)
{
	char line[64];
	long ret;

	while ((ret = result(read(lines.slave, line, sizeof(line)))) == -EINTR)
		slot->eintr++;
	expect(slot, "length of the line", ret, strlen(want));
	if (ret == (long)strlen(want) && memcmp(line, want, ret))
		wrong(slot, "text of the line", strtoul(line, NULL, 10), strtoul(want, NULL, 10));
}

void do_pty_lines(struct slot *slot)
{
	struct timespec pause = ms(7);

	/* The count in the slot is not of the images, the number is. */
	for (unsigned long n = 0;; n++, slot->loops++) {
		char text[96], first[40];

		snprintf(first, sizeof(first), "%lu first\n", n);
		snprintf(text, sizeof(text), "%s%lu sec", first, n);
		type(slot, text);
		nanosleep(&pause, NULL);
		expect_line(slot, first);
		nanosleep(&pause, NULL);
		type(slot, "ond\n");
		snprintf(text, sizeof(text), "%lu second\n", n);
		expect_line(slot, text);
	}
}

/* --- queues ------------------------------------------------------------------------ */

#define QUEUE_MESSAGES 8

struct message {
	long type;
	uint64_t number;
};

static struct stream sysv_stream, posix_stream;
static int queue, semaphore;
static mqd_t unlinked;

void do_msgsnd(struct slot *slot)
{
	for (;; slot->loops++) {
		struct message message = { 1, sysv_stream.written };
		long ret;

		while ((ret = result(msgsnd(queue, &message, sizeof(message.number), 0))) == -EINTR)
			slot->eintr++;
		expect(slot, "msgsnd", ret, 0);
		sysv_stream.written++;
		pace(slot->loops, true);
	}
}

void do_msgrcv(struct slot *slot)
{
	for (;; slot->loops++) {
		struct message message;
		long ret;

		while ((ret = result(msgrcv(queue, &message, sizeof(message.number), 0, 0))) == -EINTR)
			slot->eintr++;
		expect(slot, "msgrcv", ret, sizeof(message.number));
		expect(slot, "message", message.number, sysv_stream.want++);
		pace(slot->loops, false);
	}
}

void do_mq_send(struct slot *slot)
{
	for (;; slot->loops++) {
		uint64_t number = posix_stream.written;
		long ret;

		while ((ret = result(mq_send(unlinked, (const char *)&number, sizeof(number), 1))) == -EINTR)
			slot->eintr++;
		expect(slot, "mq_send", ret, 0);
		posix_stream.written++;
		pace(slot->loops, true);
	}
}

void do_mq_receive(struct slot *slot)
{
	for (;; slot->loops++) {
		uint64_t number = 0;
		long ret;

		while ((ret = result(mq_receive(unlinked, (char *)&number, sizeof(number), NULL))) == -EINTR)
			slot->eintr++;
		expect(slot, "mq_receive", ret, sizeof(number));
		expect(slot, "message", number, posix_stream.want++);
		pace(slot->loops, false);
	}
}

/* --- a semaphore that is taken with SEM_UNDO ------------------------------------------- */

static volatile uint32_t *inside; /* who has it; 0: nobody */

static void operate(struct slot *slot, short what)
{
	struct sembuf op = { .sem_op = what, .sem_flg = SEM_UNDO };
	long ret;

	while ((ret = result(semop(semaphore, &op, 1))) == -EINTR)
		slot->eintr++;
	expect(slot, "semop", ret, 0);
}

void sem_child(struct slot *slot, uint32_t me)
{
	struct timespec pause = ms(3);

	for (;; slot->loops++) {
		operate(slot, -1);
		expect(slot, "holders of the semaphore", *inside, 0);
		*inside = me + 1;
		nanosleep(&pause, NULL);
		expect(slot, "holder of the semaphore", *inside, me + 1);
		expect(slot, "value of the semaphore", result(semctl(semaphore, 0, GETVAL)), 0);
		*inside = 0;
		operate(slot, 1);
	}
}

void make_ipc(void)
{
	struct mq_attr attr = { .mq_maxmsg = QUEUE_MESSAGES, .mq_msgsize = sizeof(uint64_t) };
	struct msqid_ds limits;
	char name[64];

	open_pty(&raw, false);
	open_pty(&lines, true);
	queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	if (queue < 0 || msgctl(queue, IPC_STAT, &limits))
		die("msgget");
	limits.msg_qbytes = QUEUE_MESSAGES * sizeof(uint64_t);
	if (msgctl(queue, IPC_SET, &limits))
		die("msgctl");
	snprintf(name, sizeof(name), "/crash-target-%d", getpid());
	unlinked = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
	if (unlinked < 0 || mq_unlink(name))
		die(name);
	semaphore = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	if (semaphore < 0 || semctl(semaphore, 0, SETVAL, 1))
		die("semget");
	inside = mmap(NULL, sizeof(*inside), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (inside == MAP_FAILED)
		die("mmap");
}
