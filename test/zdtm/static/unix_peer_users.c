#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "Who is at the other end, where tasks of other users have connected, listened and made pairs; "
		       "a socket file given to another user";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

#define USER   1001
#define GROUP  1002
#define OTHERS 1003

static const gid_t more_groups[] = { 7, 1005 };

struct who {
	struct ucred creds;
	gid_t groups[8];
	socklen_t groups_bytes;
};

static int read_who(int fd, struct who *who)
{
	socklen_t bytes = sizeof(who->creds);

	memset(who, 0, sizeof(*who));
	who->groups_bytes = sizeof(who->groups);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who->creds, &bytes) ||
	       getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, who->groups, &who->groups_bytes);
}

static int is_user(const struct who *who, pid_t pid, uid_t uid, gid_t gid)
{
	return who->creds.pid == pid && who->creds.uid == uid && who->creds.gid == gid;
}

static int become(uid_t uid, gid_t gid)
{
	return setgroups(2, more_groups) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid);
}

/* Runs in the child: connect and make a pair, then hold both until the way is closed. */
static void child(int way, const struct sockaddr_un *addr)
{
	int client = socket(AF_UNIX, SOCK_STREAM, 0), pair[2];
	char byte;

	if (become(USER, GROUP) || client < 0 || connect(client, (const struct sockaddr *)addr, sizeof(*addr)) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) || send_rights(way, 0, 1, pair, 2))
		_exit(1);
	close(pair[0]);
	close(pair[1]);
	/* What it sees of the listener is checked by itself at the end. */
	if (recv(way, &byte, 1, 0) == 1) {
		struct who who;

		_exit(read_who(client, &who) || !is_user(&who, getppid(), 0, 0) || send(client, "x", 1, 0) != 1);
	}
	_exit(1);
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int listener, accepted, way[2], pair[2], status;
	struct who who[3], now;
	struct stat st;
	char byte;
	pid_t pid;

	test_init(argc, argv);

	strncpy(addr.sun_path, filename, sizeof(addr.sun_path) - 1);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || chmod(filename, 0666) ||
	    listen(listener, 3) || socketpair(AF_UNIX, SOCK_STREAM, 0, way))
		return pr_perror("%s", filename);
	pid = fork();
	if (!pid) {
		close(way[0]);
		child(way[1], &addr);
	}
	close(way[1]);
	accepted = accept(listener, NULL, NULL);
	if (accepted < 0 || poll(&(struct pollfd){ .fd = way[0], .events = POLLIN }, 1, 10000) != 1 ||
	    recv_rights(way[0], 0, 1, pair, 2))
		return pr_perror("accept");
	if (read_who(accepted, &who[0]) || read_who(pair[0], &who[1]) || read_who(pair[1], &who[2]) ||
	    !is_user(&who[0], pid, USER, GROUP) || who[0].groups_bytes != sizeof(more_groups))
		return pr_perror("SO_PEERCRED");
	if (chown(filename, USER, OTHERS) || chmod(filename, 0620))
		return pr_perror("chown %s", filename);

	test_daemon();
	test_waitsig();

	if (read_who(accepted, &now) || memcmp(&now, &who[0], sizeof(now)))
		return fail("the accepted socket: process %d, user %d, group %d", now.creds.pid, now.creds.uid,
			    now.creds.gid);
	if (read_who(pair[0], &now) || memcmp(&now, &who[1], sizeof(now)) || read_who(pair[1], &now) ||
	    memcmp(&now, &who[2], sizeof(now)))
		return fail("the pair: process %d, user %d, group %d", now.creds.pid, now.creds.uid, now.creds.gid);
	if (stat(filename, &st) || st.st_uid != USER || st.st_gid != OTHERS || (st.st_mode & 07777) != 0620)
		return fail("the socket file: user %d, group %d, mode %o", st.st_uid, st.st_gid, st.st_mode);
	if (send(way[0], "x", 1, 0) != 1 || waitpid(pid, &status, 0) != pid || status)
		return fail("the client sees another listener");
	if (recv(accepted, &byte, 1, MSG_DONTWAIT) != 1)
		return fail("the connection");

	pass();
	return 0;
}
