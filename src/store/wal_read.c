/* wal_read.c - reading the log back after a crash: see wal_replay in wal.h.
 *
 * The usual way reads a segment through a window of a megabyte, so that a start needs no more memory than a
 * run. At the first byte that is not a good frame the rest of the segment, without its trailing zeros, is
 * looked at as a whole to tell the end from a torn write from damage (wal_frame.h). */
#include <fcntl.h>
#include <stdio.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/bytes.h"
#include "store/seal.h"
#include "store/wal.h"
#include "store/wal_frame.h"

#define WINDOW     (1u << 20)
#define ZERO_BLOCK (256u << 10)

struct replay {
    const char *dir;
    const struct wal_reader *reader;
    struct wal_report *report;
    struct cipher_user *user; /* NULL: frames are not sealed */
    struct buf window, scratch;
    bool any;      /* a frame was seen: report->next_lsn means something */
    bool is_whole; /* the window reaches to the end of the segment's data */
    bool is_damaged;
};

static void say(struct replay *r, uint64_t segment, const char *what, uint64_t bytes)
{
    char text[256];
    if (r->reader->say == NULL) return;
    snprintf(text, sizeof text, "WAL segment %016llu: %s (%llu bytes)", (unsigned long long)segment, what,
             (unsigned long long)bytes);
    r->reader->say(r->reader->visit.ctx, text);
}

static int load(struct replay *r, int fd, uint64_t at, uint64_t n, struct err *e)
{
    buf_clear(&r->window);
    char *p = buf_room(&r->window, n);
    if (p == NULL) return err_set(e, ERR_LIMIT, "WAL segment larger than %zu bytes", r->window.max);
    int rc = n > 0 ? file_read_at(fd, p, n, at, e) : OK;
    if (rc == OK) buf_added(&r->window, n);
    return rc;
}

/* How far the segment goes when its zeros at the end are not counted. */
static int find_end(struct replay *r, int fd, uint64_t from, uint64_t *size, struct err *e)
{
    while (*size > from) {
        uint64_t n = MIN(*size - from, ZERO_BLOCK);
        int rc = load(r, fd, *size - n, n, e);
        if (rc < 0) return rc;
        while (n > 0 && r->window.p[n - 1] == 0) n--, (*size)--;
        if (n > 0) return OK;
    }
    return OK;
}

static int load_rest(struct replay *r, int fd, uint64_t at, uint64_t size, struct err *e)
{
    int rc = find_end(r, fd, at, &size, e);
    if (rc == OK) rc = load(r, fd, at, size - MIN(at, size), e);
    r->is_whole = true;
    return rc;
}

/* At least the frame at `at`, if it says how long it is, and about a megabyte. */
static int load_window(struct replay *r, int fd, uint64_t at, uint64_t size, struct err *e)
{
    int rc = load(r, fd, at, MIN(size - at, WINDOW), e);
    if (rc < 0 || r->window.n < WAL_FRAME_HEAD) return rc;

    struct bytes b = bytes_of(buf_view(&r->window));
    bytes_u32(&b);
    uint64_t need = WAL_FRAME_HEAD + (uint64_t)bytes_u32(&b);
    if (need > r->window.n && need <= size - at && need <= WAL_FRAME_RAW_MAX) rc = load(r, fd, at, need, e);
    return rc;
}

static int visit_frame(struct replay *r, uint64_t segment, uint64_t lsn, struct str raw, struct err *e)
{
    struct wal_report *report = r->report;
    if (r->any && lsn < report->next_lsn) return OK; /* a copy */
    if (r->any && lsn > report->next_lsn) report->missing += lsn - report->next_lsn;
    r->any = true;
    report->next_lsn = lsn + 1;
    report->frames++;

    int rc = wal_records_read(raw, &r->reader->visit, e);
    if (rc != ERR_CORRUPT) return rc;
    report->holes++;
    report->skipped_bytes += raw.n;
    r->is_damaged = true;
    say(r, segment, "a frame holds records that cannot be read", raw.n);
    return OK;
}

static void damaged(struct replay *r, uint64_t segment, enum wal_found found, uint64_t skipped)
{
    if (found == WAL_TORN) {
        r->report->torn++;
        say(r, segment, "an unfinished write at the end is cut off", skipped);
    } else {
        r->report->holes++;
        r->report->skipped_bytes += skipped;
        r->is_damaged = true;
        say(r, segment, "damage is skipped", skipped);
    }
}

static int replay_bytes(struct replay *r, int fd, uint64_t segment, uint64_t at, uint64_t size, struct err *e)
{
    int rc = load_window(r, fd, at, size, e);
    size_t off = 0;
    r->is_whole = false;

    while (rc == OK) {
        uint64_t lsn, skipped;
        struct str raw;
        size_t before = off;
        enum wal_found found = wal_frame_next(buf_view(&r->window), &off, r->report->next_lsn, r->user,
                                              &r->scratch, &lsn, &raw, &skipped);
        if (found == WAL_FRAME) {
            r->report->bytes += off - before;
            rc = visit_frame(r, segment, lsn, raw, e);
        } else if (r->is_whole) {
            if (found != WAL_END) damaged(r, segment, found, skipped);
            if (found != WAL_HOLE) break;
        } else { /* perhaps the window's end only; perhaps not */
            at += before;
            rc = before > 0 ? load_window(r, fd, at, size, e) : load_rest(r, fd, at, size, e);
            off = 0;
        }
    }
    return rc;
}

static void keep_aside(struct replay *r, const char *path)
{
    char aside[4200];
    snprintf(aside, sizeof aside, "%s.damaged", path);
    if (r->reader->keep_damaged) file_link(path, aside, NULL); /* already there: from an earlier start */
}

static int replay_segment(struct replay *r, uint64_t segment, struct err *e)
{
    char path[4096], head[WAL_SEGMENT_HEAD];
    wal_segment_path(path, sizeof path, r->dir, segment);
    int fd = file_open(path, O_RDONLY, e);
    if (fd == ERR_FIND) return OK; /* gone meanwhile: nothing to read */
    if (fd < 0) return fd;

    r->is_damaged = false;
    r->report->segments++;
    r->report->last_segment = segment;
    int64_t size = file_size(fd, e);
    int rc = size < 0 ? (int)size : OK;
    uint64_t at = WAL_SEGMENT_HEAD;
    if (rc == OK && r->reader->begin != NULL)
        rc = r->reader->begin(r->reader->visit.ctx, segment, (uint64_t)size);
    if (rc == OK && size >= WAL_SEGMENT_HEAD) {
        rc = file_read_at(fd, head, sizeof head, 0, e);
        if (rc == OK && !wal_segment_head_valid(str_make(head, sizeof head), segment)) at = 0;
        if (rc == OK) rc = replay_bytes(r, fd, segment, at, (uint64_t)size, e);
    } else if (rc == OK && size > 0) {
        damaged(r, segment, WAL_TORN, (uint64_t)size);
    }
    file_close(fd, NULL);
    if (r->is_damaged) keep_aside(r, path);
    return rc;
}

struct numbers {
    uint64_t *at, floor;
    size_t n, cap;
};

static int collect_number(const char *name, bool is_dir, void *ctx)
{
    struct numbers *s = ctx;
    uint64_t number;
    if (is_dir || !wal_segment_number(name, &number) || number < s->floor) return 0;
    s->at = mem_grow(s->at, s->n, &s->cap, sizeof s->at[0]);
    s->at[s->n++] = number; /* names are sorted, and of one length: so are the numbers */
    return 0;
}

int wal_replay(const char *dir, uint64_t floor, const struct wal_reader *reader, struct wal_report *report,
               struct err *e)
{
    struct numbers s = { .floor = floor };
    struct replay r = { .dir = dir,
                        .reader = reader,
                        .report = report,
                        .user = seal_user(dir),
                        .window = BUF_INIT(8ull << 30),
                        .scratch = BUF_INIT(2 * (size_t)WAL_FRAME_RAW_MAX) };
    *report = (struct wal_report){ .next_lsn = 1 };

    int rc = file_list(dir, collect_number, &s, e);
    if (rc == ERR_FIND) rc = OK;
    for (size_t i = 0; rc == OK && i < s.n; i++) rc = replay_segment(&r, s.at[i], e);
    mem_free(s.at);
    buf_release(&r.window);
    buf_release(&r.scratch);
    cipher_user_free(r.user);
    return rc;
}
