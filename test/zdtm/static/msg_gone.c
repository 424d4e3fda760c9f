#include "zdtmtst.h"
#include "msgprop.h"

const char *test_doc =
	"Message queues that are gone by the time of the restore are made again, with their messages; see "
	"the hook";

#define KEY 0x5a4d0001

static int last_changed(int id, const struct msqid_ds *before)
{
	struct msqid_ds now;

	if (msgctl(id, IPC_STAT, &now))
		return pr_perror("queue %d is gone", id);
	if (now.msg_lspid != before->msg_lspid || now.msg_lrpid != before->msg_lrpid)
		return pr_err("queue %d: sent by %d, received by %d; was %d, %d\n", id, now.msg_lspid, now.msg_lrpid,
			      before->msg_lspid, before->msg_lrpid);
	return 0;
}

int main(int argc, char **argv)
{
	char large[5000];
	struct msqid_ds before[2];
	int ids[2];

	test_init(argc, argv);

	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)(i * 7);
	ids[0] = msgget(KEY, IPC_CREAT | IPC_EXCL | 0640);
	ids[1] = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	if (ids[0] < 0 || ids[1] < 0 || msgctl(ids[0], IPC_STAT, &before[0]))
		return pr_perror("msgget");
	before[0].msg_qbytes -= 100;
	if (msgctl(ids[0], IPC_SET, &before[0]) || msg_send(ids[0], 3, "three", 5) ||
	    msg_send(ids[0], 1, large, sizeof(large)) || msg_send(ids[0], 1L << 40, "", 0) ||
	    msg_send(ids[1], 5, "gone", 4) || msg_differs(ids[1], 5, "gone", 4))
		return 1;
	if (msgctl(ids[0], IPC_STAT, &before[0]) || msgctl(ids[1], IPC_STAT, &before[1]))
		return pr_perror("IPC_STAT");

	test_daemon();
	test_waitsig();

	if (queue_changed(ids[0], &before[0]) || queue_changed(ids[1], &before[1]) || msgget(KEY, 0) != ids[0])
		return fail("a queue has changed");
	if (last_changed(ids[0], &before[0]) || last_changed(ids[1], &before[1]))
		return fail("the last sender or receiver is another one");
	if (msg_differs(ids[0], 3, "three", 5) || msg_differs(ids[0], 1, large, sizeof(large)) ||
	    msg_differs(ids[0], 1L << 40, "", 0))
		return fail("messages");
	if (msgctl(ids[0], IPC_RMID, NULL) || msgctl(ids[1], IPC_RMID, NULL))
		return fail("remove");

	pass();
	return 0;
}
