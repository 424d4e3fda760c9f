#define HUGETLB_DELETED
#include "hugetlb_file.c"
