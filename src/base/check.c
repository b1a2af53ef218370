#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "vedette: bug at %s:%d: %s is not true\n", file, line, cond);
    abort();
}
