/* fsck_sealed.c - see fsck_sealed.h. Files are found by walking, since the manifest cannot be read; those of
 * columns are pages between a head and a foot of fixed size, the others records of length and checksum. */
#include "store/fsck_sealed.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/bytes.h"
#include "store/crc32c.h"
#include "store/engine.h"
#include "store/page.h"
#include "store/wal_frame.h"

#define FOOT     64u /* of every file of columns */
#define HEAD     64u /* of parts */
#define IDX_HEAD 16u /* of series indexes */
#define MAGIC    8u  /* of manifest, exemplars, metadata */
#define FILE_MAX (1ull << 30)
#define SEALED   0x80000000u

struct check {
    char dir[4300]; /* being walked */
    bool is_wal;
    void (*line)(void *ctx, const char *text);
    void *ctx;
    struct fsck_report *report;
};

static void verdict(struct check *c, const char *path, uint64_t bytes, const char *why)
{
    char text[4800];
    c->report->files++;
    c->report->bytes += bytes;
    c->report->damaged += why != NULL;
    snprintf(text, sizeof text, "%s: %s%s", path, why ? "DAMAGED: " : "checksums ok", why ? why : "");
    if (c->line != NULL) c->line(c->ctx, text);
}

/* ---- pages ---- */

static int page_at(int fd, uint64_t at, uint64_t end, struct buf *page, uint64_t *n, struct err *e)
{
    char head[PAGE_HEAD_BYTES];
    if (end - at < sizeof head) return err_set(e, ERR_CORRUPT, "bytes that are no page");
    int rc = file_read_at(fd, head, sizeof head, at, e);
    if (rc < 0) return rc;
    *n = page_bytes(str_make(head, sizeof head));
    buf_clear(page);
    char *to = *n <= end - at ? buf_room(page, *n) : NULL;
    if (to == NULL) return err_set(e, ERR_CORRUPT, "a page of %llu bytes", (unsigned long long)*n);
    if ((rc = file_read_at(fd, to, *n, at, e)) < 0) return rc;
    struct str in = str_make(to, *n);
    return page_check_any(&in, e);
}

static void check_pages(struct check *c, const char *path)
{
    const uint64_t first = str_ends(str_of(path), ".idx") ? IDX_HEAD : HEAD;
    struct buf page = BUF_INIT(PAGE_RAW_MAX + PAGE_OVERHEAD);
    struct err e = ERR_INIT;
    int fd = file_open(path, O_RDONLY, &e), rc = MIN(fd, 0);
    int64_t size = fd < 0 ? 0 : file_size(fd, &e);
    if (fd >= 0 && size < (int64_t)(first + FOOT)) rc = err_set(&e, ERR_CORRUPT, "too short");
    uint64_t at = first, n = 0, end = rc == OK ? (uint64_t)size - FOOT : 0;
    while (rc == OK && at < end) {
        if ((rc = page_at(fd, at, end, &page, &n, &e)) < 0) err_where(&e, "at %llu", (unsigned long long)at);
        at += n;
    }
    c->report->parts++;
    verdict(c, path, (uint64_t)MAX(size, (int64_t)0), rc < 0 ? e.text : NULL);
    if (fd >= 0) file_close(fd, NULL);
    buf_release(&page);
}

/* ---- records ---- */

/* length u32, checksum u32, payload: over the payload, or over the length, too. */
static bool records_ok(struct str text, bool with_length)
{
    struct bytes in = bytes_of(text);
    bytes_take(&in, MAGIC);
    while (!in.failed && bytes_left(&in) > 0) {
        const unsigned char *length = in.p;
        uint32_t n = bytes_u32(&in) & ~SEALED, crc = bytes_u32(&in);
        struct str payload = bytes_take(&in, n);
        if (in.failed || crc32c(with_length ? crc32c(0, length, 4) : 0, payload.p, payload.n) != crc)
            return false;
    }
    return !in.failed;
}

static void check_records(struct check *c, const char *dir, const char *name, bool with_length)
{
    char path[4300];
    struct buf text = BUF_INIT(FILE_MAX);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (!file_exists(path)) return;
    struct err e = ERR_INIT;
    int rc = file_slurp(path, &text, &e);
    if (rc == OK && !records_ok(buf_view(&text), with_length))
        err_set(&e, ERR_CORRUPT, "a record's checksum is wrong");
    verdict(c, path, text.n, e.code != OK ? e.text : NULL);
    buf_release(&text);
}

/* ---- the log ---- */

static void check_segment(struct check *c, const char *path)
{
    struct buf text = BUF_INIT(8ull << 30);
    struct err e = ERR_INIT;
    uint64_t skipped = 0;
    size_t at = WAL_SEGMENT_HEAD;
    if (file_slurp(path, &text, &e) == OK && wal_frame_check(buf_view(&text), &at, &skipped) == WAL_HOLE)
        err_set(&e, ERR_CORRUPT, "%llu bytes are no frames", (unsigned long long)skipped);
    verdict(c, path, text.n, e.code != OK ? e.text : NULL);
    buf_release(&text);
}

/* ---- walking ---- */

static int visit_file(const char *name, bool is_dir, void *ctx)
{
    struct check *c = ctx;
    char path[4700];
    uint64_t number;
    snprintf(path, sizeof path, "%s/%s", c->dir, name);
    if (is_dir || str_ends(str_of(name), ".damaged")) return 0;
    if (c->is_wal && wal_segment_number(name, &number))
        check_segment(c, path);
    else if (!c->is_wal)
        check_pages(c, path);
    return 0;
}

static int visit_day(const char *name, bool is_dir, void *ctx)
{
    struct check *c = ctx, day = *c;
    if (!is_dir) return 0;
    snprintf(day.dir, sizeof day.dir, "%.4200s/%.64s", c->dir, name);
    return file_list(day.dir, visit_file, &day, NULL);
}

int fsck_sealed(const char *dir, void (*line)(void *ctx, const char *text), void *ctx,
                struct fsck_report *report, struct err *e)
{
    struct check c = { .line = line, .ctx = ctx, .report = report };
    int rc = OK;
    check_records(&c, dir, "MANIFEST", false);
    for (int t = 0; rc == OK && t < TABLE_COUNT; t++) {
        snprintf(c.dir, sizeof c.dir, "%.4200s/%s", dir, table_name((enum table)t));
        rc = file_list(c.dir, visit_day, &c, e);
        if (rc == ERR_FIND) rc = OK;
    }
    check_records(&c, dir, EXEMPLARS_FILE, true);
    check_records(&c, dir, METADATA_FILE, true);
    c.is_wal = true;
    snprintf(c.dir, sizeof c.dir, "%.4200s/wal", dir);
    if (rc == OK) rc = file_list(c.dir, visit_file, &c, e);
    return rc == ERR_FIND ? OK : rc;
}
