/* What file.c records: every call that changes the disk, in order, below the root only, up to a ceiling. */
#include "base/file_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "unit/test.h"

static char root[] = "/tmp/file_trace_XXXXXX";

static const char *under(const char *name)
{
    static char path[4][256];
    static int turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", root, name);
    return p;
}

struct seen {
    struct trace_record r;
    char path[64], to[64], bytes[64];
};

/* The log, record by record, by the description in file_trace.h. */
static size_t read_log(struct seen *out, size_t cap)
{
    struct buf b = BUF_INIT(1 << 20);
    size_t n = 0, at = 0;
    EXPECT(file_slurp(under("log"), &b, NULL) == OK);
    while (at < b.n && n < cap) {
        struct seen *s = &out[n++];
        *s = (struct seen){ 0 };
        memcpy(&s->r, b.p + at, sizeof s->r);
        at += sizeof s->r;
        memcpy(s->path, b.p + at, s->r.n_path);
        memcpy(s->to, b.p + at + s->r.n_path, s->r.n_to);
        memcpy(s->bytes, b.p + at + s->r.n_path + s->r.n_to, s->r.n_bytes);
        at += s->r.n_path + s->r.n_to + s->r.n_bytes;
    }
    EXPECT(at == b.n);
    buf_release(&b);
    return n;
}

static void write_a_little(void)
{
    int fd = file_open(under("d/new"), O_RDWR | O_CREAT, NULL);
    EXPECT(fd >= 0);
    EXPECT(file_write(fd, "abc", 3, NULL) == OK && file_write(fd, "de", 2, NULL) == OK);
    EXPECT(file_write_at(fd, "X", 1, 1, NULL) == OK);
    EXPECT(file_sync(fd, NULL) == OK);
    file_fault_set(&(struct file_fault){ .n = 1, .op = FILE_SYNC, .with_errno = EIO });
    EXPECT(file_sync(fd, NULL) == ERR_IO);
    file_fault_set(NULL);
    EXPECT(file_truncate(fd, 4, NULL) == OK && file_allocate(fd, 64, NULL) == OK);
    EXPECT(file_close(fd, NULL) == OK);
}

TEST(trace_has_every_change_in_order)
{
    struct seen s[32];
    char text[6] = { 0 };
    EXPECT(file_trace_start(under("d"), under("log"), 1 << 20, NULL) == OK);
    EXPECT(file_mkdirs(under("d"), NULL) == OK);
    write_a_little();
    EXPECT(file_link(under("d/new"), under("d/second"), NULL) == OK);
    EXPECT(file_rename(under("d/second"), under("d/third"), NULL) == OK);
    EXPECT(file_unlink(under("d/third"), NULL) == OK);
    EXPECT(file_unlink(under("d/third"), NULL) == ERR_FIND); /* changed nothing */
    EXPECT(file_replace(under("elsewhere"), STR("x"), NULL) == OK);
    file_trace_mark("note", 4);
    EXPECT(!file_trace_is_full());
    file_trace_stop();
    file_trace_mark("none", 4);

    static const enum trace_kind kinds[] = { TRACE_MKDIR,    TRACE_OPEN, TRACE_WRITE,       TRACE_WRITE,
                                             TRACE_WRITE,    TRACE_SYNC, TRACE_SYNC_FAILED, TRACE_SIZE,
                                             TRACE_ALLOCATE, TRACE_LINK, TRACE_RENAME,      TRACE_SYNC_DIR,
                                             TRACE_UNLINK };
    size_t n = read_log(s, 32), k = 0;
    for (; k < sizeof kinds / sizeof *kinds; k++) EXPECT_INT(s[k].r.kind, kinds[k]);
    EXPECT_STR(s[1].path, "/new");
    EXPECT(s[3].r.at == 3 && memcmp(s[3].bytes, "de", 2) == 0 && s[3].r.inode == s[1].r.inode);
    EXPECT(s[4].r.at == 1 && s[7].r.at == 4 && s[8].r.at == 64);
    EXPECT_STR(s[10].path, "/second");
    EXPECT_STR(s[10].to, "/third");
    EXPECT_STR(s[11].path, "");
    /* files elsewhere are known by descriptor only: their bytes are there, their names are not */
    EXPECT(s[n - 1].r.kind == TRACE_MARK && memcmp(s[n - 1].bytes, "note", 4) == 0);

    int fd = file_open(under("d/new"), O_RDONLY, NULL);
    EXPECT(file_read_at(fd, text, 4, 0, NULL) == OK);
    EXPECT_STR(text, "aXcd"); /* tracing changed nothing of what was written */
    file_close(fd, NULL);
    unlink(under("log"));
}

TEST(trace_has_a_ceiling)
{
    char kilobyte[1024] = { 0 };
    EXPECT(file_trace_start(under("d"), under("log"), 3000, NULL) == OK);
    for (int i = 0; i < 5; i++) file_trace_mark(kilobyte, sizeof kilobyte);
    EXPECT(file_trace_is_full() && file_trace_records() == 2);
    file_trace_stop();
    unlink(under("log"));
}

TEST(trace_goes_on_in_the_next_process)
{
    struct seen s[8];
    for (int life = 0; life < 2; life++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (file_trace_start(under("d"), under("log"), 1 << 20, NULL) < 0) _exit(1);
            file_trace_die_after(2, TRACE_MARK);
            for (int i = 0; i < 9; i++) file_trace_mark("ab", 2);
            _exit(2);
        }
        int status;
        EXPECT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    EXPECT(read_log(s, 8) == 4);
    unlink(under("log"));
}

static int file_faults(void)
{
    const char *path = under("faulty");
    struct err e = ERR_INIT;
    int fd = file_open(path, O_RDWR | O_CREAT, &e), failed = 0;
    file_fault_set(&(struct file_fault){ .n = 2, .more = 1, .op = FILE_WRITE, .with_errno = ENOSPC });
    for (int i = 0; i < 6; i++) failed = failed * 2 + (file_write_at(fd, "abcd", 4, 0, &e) == ERR_FULL);
    EXPECT(file_size(fd, &e) == 4); /* other calls are not touched */
    file_fault_set(&(struct file_fault){ .n = 1, .op = FILE_WRITE });
    uint64_t before = file_calls_of(FILE_WRITE);
    EXPECT(file_write_at(fd, "efgh", 4, 4, &e) == OK && file_calls_of(FILE_WRITE) == before + 2);
    EXPECT(file_size(fd, &e) == 8); /* a short write is completed */
    file_fault_set(&(struct file_fault){ .n = 1, .delay_ms = 1 });
    EXPECT(file_write_at(fd, "efgh", 4, 4, &e) == OK);
    file_fault_set(NULL);
    file_close(fd, NULL);
    return failed;
}

TEST(faults_hit_the_chosen_calls_only)
{
    EXPECT_INT(file_faults(), 0x18); /* 011000: the second and the third write */
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) == NULL;
}

static int remove_root(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest all[] = { CASE(trace_has_every_change_in_order), CASE(trace_has_a_ceiling),
                                      CASE(trace_goes_on_in_the_next_process),
                                      CASE(faults_hit_the_chosen_calls_only) };
    return cmocka_run_group_tests(all, make_root, remove_root);
}
