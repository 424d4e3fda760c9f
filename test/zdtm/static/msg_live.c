#include "zdtmtst.h"
#include "msgprop.h"

const char *test_doc =
	"A message queue that lives on keeps its messages, and those that others send meanwhile; see the "
	"hook";

#define KEY 0x5a4d0002

int main(int argc, char **argv)
{
	struct msqid_ds before;
	int id;

	test_init(argc, argv);

	id = msgget(KEY, IPC_CREAT | IPC_EXCL | 0600);
	if (id < 0 || msg_send(id, 7, "before", 6) || msgctl(id, IPC_STAT, &before))
		return pr_perror("msgget");

	test_daemon();
	test_waitsig();

	if (msg_differs(id, 7, "before", 6) || msg_differs(id, 8, "meanwhile", 9))
		return fail("messages");
	before.msg_qnum = 0;
	if (queue_changed(id, &before) || msgctl(id, IPC_RMID, NULL))
		return fail("queue");

	pass();
	return 0;
}
