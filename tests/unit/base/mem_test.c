#include "base/mem.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "unit/test.h"

TEST(mem_grow_doubles)
{
    int *v = NULL;
    size_t cap = 0;
    for (int i = 0; i < 100; i++) {
        v = mem_grow(v, (size_t)i, &cap, sizeof *v);
        v[i] = i;
    }
    EXPECT(cap == 128);
    for (int i = 0; i < 100; i++) EXPECT(v[i] == i);
    mem_free(v);
}

TEST(mem_array_is_zeroed_and_nothing_is_NULL)
{
    char *p = mem_array(100, 3);
    for (int i = 0; i < 300; i++) EXPECT(p[i] == 0);
    mem_free(p);
    p = mem_alloc(0);
    EXPECT(p != NULL);
    mem_free(p);
    mem_free(NULL);
    p = mem_strdup("abc");
    EXPECT_STR(p, "abc");
    mem_free(p);
}

/* How a child process that runs fn ends. */
static int fate(void (*fn)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        fclose(stderr);
        fn();
        _exit(0);
    }
    waitpid(child, &status, 0);
    return status;
}

static void check_false(void)
{
    check(1 + 1 == 3);
}

static void check_true(void)
{
    check(1 + 1 == 2);
}

TEST(check_stops_the_process_when_the_claim_is_false)
{
    int status = fate(check_false);
    EXPECT(WIFSIGNALED(status));
    status = fate(check_true);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TESTS(CASE(mem_grow_doubles), CASE(mem_array_is_zeroed_and_nothing_is_NULL),
      CASE(check_stops_the_process_when_the_claim_is_false))
