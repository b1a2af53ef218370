/* command.c - see command.h. */
#include "base/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

#define LOOK_MS 50 /* how often cancelling and an end without closed output are looked for */

static int fill_actions(posix_spawn_file_actions_t *a, int output)
{
    int rc = posix_spawn_file_actions_addopen(a, 0, "/dev/null", O_RDONLY, 0);
    if (rc == 0) rc = posix_spawn_file_actions_adddup2(a, output, 1);
    if (rc == 0) rc = posix_spawn_file_actions_adddup2(a, output, 2);
    if (rc == 0) rc = posix_spawn_file_actions_addclosefrom_np(a, 3);
    return rc == 0 ? posix_spawn_file_actions_addchdir_np(a, "/") : rc;
}

static int fill_attributes(posix_spawnattr_t *a)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawnattr_setsigmask(a, &none);
    if (rc == 0) rc = posix_spawnattr_setsigdefault(a, &all);
    if (rc == 0) rc = posix_spawnattr_setpgroup(a, 0);
    if (rc == 0)
        rc = posix_spawnattr_setflags(a,
                                      POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    return rc;
}

static int spawn(const struct command *c, int output, pid_t *pid)
{
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", language[] = "LANG=C.UTF-8";
    char *const environment[] = { path, language, NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    int rc = fill_actions(&files, output);
    if (rc == 0) rc = fill_attributes(&attributes);
    if (rc == 0) rc = posix_spawn(pid, c->argv[0], &files, &attributes, (char *const *)c->argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* False at the end of its output. */
static bool take_output(int fd, struct buf *out)
{
    char piece[4096];
    ssize_t n = read(fd, piece, sizeof piece);
    if (n < 0) return errno == EINTR || errno == EAGAIN;
    for (ssize_t i = 0; i < n && out->n < out->max; i++) buf_char(out, piece[i]);
    return n > 0;
}

static bool has_ended(pid_t pid, int *status)
{
    return waitpid(pid, status, WNOHANG) == pid;
}

/* Until it has ended or must: true when it has. Someone it left behind may hold the pipe: that is not waited
 * for. */
static bool wait_for(const struct command *c, pid_t pid, int fd, struct buf *out, struct command_result *r,
                     int *status)
{
    int64_t end_ns = clock_mono_ns() + c->timeout_ms * 1000000;
    bool is_open = true;
    for (;;) {
        struct pollfd p = { .fd = is_open ? fd : -1, .events = POLLIN };
        poll(&p, 1, LOOK_MS);
        if (is_open && p.revents != 0) {
            is_open = take_output(fd, out);
            if (is_open && clock_mono_ns() < end_ns) continue;
        }
        if (has_ended(pid, status)) return true;
        r->is_cancelled = c->cancelled != NULL && atomic_load(c->cancelled);
        r->has_timed_out = clock_mono_ns() >= end_ns;
        if (r->is_cancelled || r->has_timed_out) return false;
    }
}

static void drain(int fd, struct buf *out)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    for (int i = 0; i < 256 && poll(&p, 1, 0) > 0; i++)
        if (!take_output(fd, out)) break;
}

int command_run(const struct command *c, struct buf *output, struct command_result *r, struct err *e)
{
    int ends[2], status = 0;
    pid_t pid;
    *r = (struct command_result){ .exit = -1 };
    if (pipe2(ends, O_CLOEXEC) < 0) return err_set(e, ERR_IO, "%s: no pipe: %s", c->argv[0], strerror(errno));
    int rc = spawn(c, ends[1], &pid);
    close(ends[1]);
    if (rc != 0) {
        close(ends[0]);
        return err_set(e, ERR_IO, "%s: %s", c->argv[0], strerror(rc));
    }
    if (!wait_for(c, pid, ends[0], output, r, &status)) {
        kill(-pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    drain(ends[0], output);
    close(ends[0]);
    if (WIFEXITED(status)) r->exit = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) r->signal = WTERMSIG(status);
    return OK;
}
