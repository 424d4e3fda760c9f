#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc =
	"Mappings of /dev/zero: private ones are memory of one's own, shared ones are shared with a child";

int main(int argc, char **argv)
{
	char *private, *shared, *other;
	int fd, go[2], status;
	pid_t child;
	char byte;

	test_init(argc, argv);

	fd = open("/dev/zero", O_RDWR);
	if (fd < 0 || pipe(go))
		return pr_perror("/dev/zero");
	private = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	shared = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	/* Each shared mapping is an object of its own. */
	other = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (private == MAP_FAILED || shared == MAP_FAILED || other == MAP_FAILED)
		return pr_perror("mmap");
	strcpy(private, "private");
	strcpy(shared, "shared");
	strcpy(other + PG, "other");
	child = fork();
	if (!child) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 0)
			_exit(1);
		if (strcmp(private, "private") || strcmp(shared, "changed"))
			_exit(2);
		strcpy(private, "child's");
		strcpy(shared + PG, "answer");
		_exit(0);
	}
	close(go[0]);

	test_daemon();
	test_waitsig();

	if (strcmp(private, "private") || strcmp(shared, "shared") || strcmp(other + PG, "other") || other[0])
		return fail("the content changed");
	strcpy(shared, "changed");
	close(go[1]);
	if (waitpid(child, &status, 0) != child || status)
		return fail("the child ended with %#x", status);
	if (strcmp(private, "private") || strcmp(shared + PG, "answer"))
		return fail("what is shared and what is not is mixed up");

	pass();
	return 0;
}
