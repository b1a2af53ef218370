/* command_test.c - programs run with care: what they get, what is kept of them, and how they are stopped. */
#include "unit/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/command.h"

static struct buf out;
static struct command_result result;

static int run(int64_t timeout_ms, const atomic_bool *cancelled, const char *const *argv)
{
    buf_release(&out);
    out = (struct buf)BUF_INIT(100);
    return command_run(&(struct command){ argv, timeout_ms, cancelled }, &out, &result, NULL);
}
#define RUN(...) run(20000, NULL, (const char *const[]){ __VA_ARGS__, NULL })

static bool printed(const char *want)
{
    return strcmp(buf_cstr(&out), want) == 0;
}

TEST(what_it_prints_and_how_it_ends_is_kept)
{
    EXPECT(RUN("/bin/sh", "-c", "echo out; echo err >&2; exit 3") == OK);
    EXPECT(printed("out\nerr\n"));
    EXPECT_INT(result.exit, 3);
    EXPECT_INT(result.signal, 0);
    EXPECT(RUN("/bin/sh", "-c", "kill -9 $$") == OK);
    EXPECT_INT(result.signal, 9);
    buf_release(&out);
}

TEST(no_shell_reads_its_arguments)
{
    EXPECT(RUN("/bin/echo", "$HOME;`id`", "a b", "*") == OK);
    EXPECT(printed("$HOME;`id` a b *\n"));
    buf_release(&out);
}

TEST(nothing_of_ours_comes_with_it)
{
    int ours = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    setenv("SECRET_OF_OURS", "x", 1);
    EXPECT(RUN("/usr/bin/env") == OK);
    EXPECT(printed("PATH=/usr/local/bin:/usr/bin:/bin\nLANG=C.UTF-8\n"));
    EXPECT(RUN("/bin/sh", "-c",
               "pwd; cat; for f in 3 4 5 6 7 8 9; do [ -e /proc/self/fd/$f ] && [ -e /proc/$$/fd/$f ] && "
               "echo has $f; done; true") == OK);
    EXPECT(printed("/\n"));
    close(ours);
    buf_release(&out);
}

TEST(long_output_is_cut_and_does_not_stop_it)
{
    EXPECT(RUN("/bin/sh", "-c",
               "i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done; exit 5") == OK);
    EXPECT_INT(out.n, 100);
    EXPECT_INT(result.exit, 5);
    buf_release(&out);
}

TEST(time_is_up_for_it_and_its_children)
{
    int64_t begin = clock_mono_ns();
    EXPECT(run(200, NULL,
               (const char *const[]){ "/bin/sh", "-c", "sleep 600 & sleep 600; echo never", NULL }) == OK);
    EXPECT(result.has_timed_out);
    EXPECT_INT(result.signal, 9);
    EXPECT_INT(out.n, 0);
    EXPECT(clock_mono_ns() - begin < 300ll * 1000000000); /* not their ten minutes */
    buf_release(&out);
}

TEST(one_that_prints_without_end_is_stopped_too)
{
    EXPECT(run(200, NULL, (const char *const[]){ "/usr/bin/yes", NULL }) == OK);
    EXPECT(result.has_timed_out);
    EXPECT_INT(out.n, 100);
    buf_release(&out);
}

TEST(it_can_be_cancelled_and_what_cannot_start_says_why)
{
    atomic_bool cancelled = true;
    struct err e = ERR_INIT;
    EXPECT(run(600000, &cancelled, (const char *const[]){ "/bin/sleep", "600", NULL }) == OK);
    EXPECT(result.is_cancelled);
    EXPECT(command_run(&(struct command){ (const char *const[]){ "/no/such/program", NULL }, 1000, NULL },
                       &out, &result, &e) == ERR_IO);
    EXPECT(strstr(e.text, "/no/such/program: No such file") != NULL);
    buf_release(&out);
}

/* Whoever it leaves behind holding the pipe is not waited for. */
TEST(a_child_left_behind_is_not_waited_for)
{
    int64_t begin = clock_mono_ns();
    EXPECT(RUN("/bin/sh", "-c", "setsid sleep 30 & echo started") == OK);
    EXPECT(printed("started\n"));
    EXPECT_INT(result.exit, 0);
    EXPECT(clock_mono_ns() - begin < 19ll * 1000000000);
    buf_release(&out);
}

TESTS(CASE(what_it_prints_and_how_it_ends_is_kept), CASE(no_shell_reads_its_arguments),
      CASE(nothing_of_ours_comes_with_it), CASE(long_output_is_cut_and_does_not_stop_it),
      CASE(time_is_up_for_it_and_its_children), CASE(one_that_prints_without_end_is_stopped_too),
      CASE(it_can_be_cancelled_and_what_cannot_start_says_why), CASE(a_child_left_behind_is_not_waited_for))
