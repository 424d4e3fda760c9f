#include "zdtmtst.h"
#include "taskutil.h"
#include "delshm.h"

const char *test_doc = "Code in a deleted shared file, written through one mapping and run through another";

/* mov $42, %eax; ret */
static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };

int main(int argc, char **argv)
{
	char *map, *text;
	int fd;

	test_init(argc, argv);

	map = delshm_start("exec", PG, &fd);
	if (!map || delshm_unlink("exec"))
		return 1;
	text = mmap(NULL, PG, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (text == MAP_FAILED) {
		if (errno != EPERM)
			return pr_perror("mmap of code");
		skip("the file system is mounted noexec");
		return skipped_test();
	}
	memcpy(map, code, sizeof(code));
	if (((int (*)(void))text)() != 42)
		return pr_err("the code does not run\n");

	test_daemon();
	test_waitsig();

	if (map_is_map(map, text) != 1 || map_is_fd(text, fd) != 1)
		return fail("another object");
	if (((int (*)(void))text)() != 42)
		return fail("other code");
	map[1] = 43;
	if (((int (*)(void))text)() != 43)
		return fail("what is written is not what is run");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
