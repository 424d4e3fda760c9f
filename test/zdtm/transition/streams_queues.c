#include <fcntl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include "streams.h"

const char *test_doc = "Message queues, POSIX and System V, under load: no message is lost, doubled or out of order";
const char *test_author = "The criu team";

#define NAME "/zdtm-streams_queues"

struct sysv_message {
	long type;
	struct message message;
};

static int make_posix(struct channel *ch)
{
	struct mq_attr attr = { .mq_maxmsg = 8, .mq_msgsize = sizeof(struct message) };
	mqd_t queue = mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);

	if (queue < 0 || mq_unlink(NAME))
		return -1;
	ch->in = ch->out = queue;
	return 0;
}

static ssize_t send_posix(struct channel *ch, const void *message, size_t bytes)
{
	return mq_send(ch->out, message, bytes, 0) ? -1 : (ssize_t)bytes;
}

static ssize_t receive_posix(struct channel *ch, void *buf, size_t bytes)
{
	return mq_receive(ch->in, buf, bytes, NULL);
}

static int sysv_id = -1;

static int make_sysv(struct channel *ch)
{
	(void)ch;
	sysv_id = msgget(IPC_PRIVATE, 0600);
	return sysv_id < 0;
}

static ssize_t send_sysv(struct channel *ch, const void *message, size_t bytes)
{
	struct sysv_message sent = { .type = 1 };

	(void)ch;
	memcpy(&sent.message, message, bytes);
	return msgsnd(sysv_id, &sent, bytes, 0) ? -1 : (ssize_t)bytes;
}

static ssize_t receive_sysv(struct channel *ch, void *buf, size_t bytes)
{
	struct sysv_message received;
	ssize_t n = msgrcv(sysv_id, &received, sizeof(received.message), 0, 0);

	(void)ch;
	(void)bytes;
	if (n > 0)
		memcpy(buf, &received.message, n);
	return n;
}

static int left_sysv(struct channel *ch)
{
	struct msqid_ds found;

	(void)ch;
	return msgctl(sysv_id, IPC_STAT, &found) || found.msg_qnum;
}

static struct channel channels[] = {
	{ .what = "POSIX queue", .make = make_posix, .send = send_posix, .receive = receive_posix },
	{ .what = "System V queue", .make = make_sysv, .send = send_sysv, .receive = receive_sysv, .left = left_sysv },
};

int main(int argc, char **argv)
{
	int bad = streams_test(argc, argv, channels, ARRAY_SIZE(channels));

	if (sysv_id >= 0)
		msgctl(sysv_id, IPC_RMID, NULL);
	return bad;
}
