#define HUGETLB_FILE
#include "unsupported_hugetlb.c"
