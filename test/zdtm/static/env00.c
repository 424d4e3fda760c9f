#include <stdlib.h>
#include <string.h>

#include "zdtmtst.h"

const char *test_doc =
	"The environment: a variable that was set, one that was removed, and all that a program is given at its start";
const char *test_author = "The criu team";

int main(int argc, char **argv)
{
	char *before;

	test_init(argc, argv);
	before = getenv("PATH") ? strdup(getenv("PATH")) : NULL;
	if (setenv("ZDTM_ENV00", "a value = with = signs", 1) || setenv("ZDTM_ENV00_GONE", "x", 1) ||
	    unsetenv("ZDTM_ENV00_GONE"))
		return pr_perror("setenv");

	test_daemon();
	test_waitsig();

	if (!getenv("ZDTM_ENV00") || strcmp(getenv("ZDTM_ENV00"), "a value = with = signs"))
		return fail("the variable is %s", getenv("ZDTM_ENV00"));
	if (getenv("ZDTM_ENV00_GONE"))
		return fail("a removed variable is there again");
	if (!before != !getenv("PATH") || (before && strcmp(before, getenv("PATH"))))
		return fail("PATH is %s and was %s", getenv("PATH"), before);
	/* A child gets it from memory. */
	if (system("test \"$ZDTM_ENV00\" = 'a value = with = signs' && test -z \"${ZDTM_ENV00_GONE+set}\""))
		return fail("a child has another environment");
	pass();
	return 0;
}
