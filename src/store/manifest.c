/* manifest.c - see manifest.h.
 *
 *     "VDMANIF1" | record ...        record: | length u32 | crc32c u32 | ops, `length` bytes |
 *     the top bit of length: ops are sealed, CIPHER_OVERHEAD longer; their place is the record's offset
 *     op: kind u8, then fixed fields by kind: see `enum op`
 *
 * Always true: what `state` says was applied, in order, from records that were synced; `is_torn` is set from
 * the moment an append fails until a whole new file has taken the old one's place. */
#include "store/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/bytes.h"
#include "store/crc32c.h"
#include "store/seal.h"
#include "store/table.h"

#define MAGIC              "VDMANIF1"
#define MANIFEST_BYTES_MAX (256u << 20)
#define REWRITE_LEAST      (64u << 10)
#define RECORD_HEAD        8
#define SEALED             0x80000000u /* of length */
#define ADD_BYTES          19          /* of one file in a record */

enum op {
    OP_ADD = 1,      /* file, is_final u8 */
    OP_DROP = 2,     /* file */
    OP_FLOOR = 3,    /* segment u64 */
    OP_NUMBERS = 4,  /* next series u32, next metric u32 */
    OP_SEQUENCE = 5, /* next u64 */
    OP_RECORDS = 6,  /* write number u64 */
};                   /* file: kind u8, day u32, level u32, sequence u64 */

/* ---- names ---- */

void day_dir_path(char *out, size_t cap, const char *dir, enum table table, uint32_t day)
{
    struct tm tm;
    time_t t = (time_t)day * 86400;
    gmtime_r(&t, &tm);
    snprintf(out, cap, "%s/%s/%04d%02d%02d", dir, table_name(table), tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday);
}

void file_id_path(char *out, size_t cap, const char *dir, const struct file_id *f)
{
    char day_dir[4096];
    const struct file_type *type = file_type(f->kind);
    day_dir_path(day_dir, sizeof day_dir, dir, type->table, f->day);
    snprintf(out, cap, "%s/%u-%llu.%s", day_dir, f->level, (unsigned long long)f->sequence, type->suffix);
}

static bool parse_day(const char *text, uint32_t *day)
{
    uint64_t v;
    if (strlen(text) < 8 || !str_to_u64(str_of(text), &v) || v < 19700101) return false;
    struct tm tm = { .tm_year = (int)(v / 10000) - 1900,
                     .tm_mon = (int)(v / 100 % 100) - 1,
                     .tm_mday = (int)(v % 100) };
    time_t t = timegm(&tm);
    if (t < 0 || t / 86400 > UINT32_MAX) return false;
    *day = (uint32_t)(t / 86400);
    return true;
}

static bool parse_kind(enum table table, struct str suffix, enum file_kind *kind)
{
    for (unsigned k = FILE_PART; file_kind_valid(k); k++)
        if (file_type(k)->table == table && str_is(suffix, file_type(k)->suffix)) return *kind = k, true;
    return false;
}

bool file_id_parse(enum table table, const char *day_dir, const char *name, struct file_id *f)
{
    struct str rest, number, suffix;
    uint64_t level;
    *f = (struct file_id){ 0 };
    if (!parse_day(day_dir, &f->day)) return false;

    struct str first = str_cut(str_of(name), '-', &rest);
    number = str_cut(rest, '.', &suffix);
    if (!str_to_u64(first, &level) || level > UINT32_MAX || !str_to_u64(number, &f->sequence)) return false;
    f->level = (uint32_t)level;
    return parse_kind(table, suffix, &f->kind);
}

int file_id_cmp(const struct file_id *a, const struct file_id *b)
{
    if (a->day != b->day) return a->day < b->day ? -1 : 1;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    if (a->sequence != b->sequence) return a->sequence < b->sequence ? -1 : 1;
    return a->level < b->level ? -1 : a->level > b->level;
}

/* ---- the state ---- */

void manifest_state_release(struct manifest_state *s)
{
    mem_free(s->files);
    *s = (struct manifest_state){ 0 };
}

/* Where f is, or where it would be. */
static size_t place_of(const struct manifest_state *s, const struct file_id *f, bool *is_there)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (file_id_cmp(&s->files[mid], f) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *is_there = low < s->n && file_id_cmp(&s->files[low], f) == 0;
    return low;
}

static void state_add(struct manifest_state *s, const struct file_id *f)
{
    bool is_there;
    size_t at = place_of(s, f, &is_there);
    if (!is_there) {
        s->files = mem_grow(s->files, s->n, &s->cap, sizeof s->files[0]);
        memmove(s->files + at + 1, s->files + at, (s->n - at) * sizeof s->files[0]);
        s->n++;
    }
    s->files[at] = *f;
    s->next_sequence = MAX(s->next_sequence, f->sequence + 1);
}

static void state_drop(struct manifest_state *s, const struct file_id *f)
{
    bool is_there;
    size_t at = place_of(s, f, &is_there);
    if (!is_there) return;
    memmove(s->files + at, s->files + at + 1, (s->n - at - 1) * sizeof s->files[0]);
    s->n--;
}

static void state_apply(struct manifest_state *s, const struct manifest_edit *x)
{
    for (size_t i = 0; i < x->n_drop; i++) state_drop(s, &x->drop[i]);
    for (size_t i = 0; i < x->n_add; i++) state_add(s, &x->add[i]);
    s->wal_floor = MAX(s->wal_floor, x->wal_floor);
    s->next_series_no = MAX(s->next_series_no, x->next_series_no);
    s->next_metric_no = MAX(s->next_metric_no, x->next_metric_no);
    s->records_floor = MAX(s->records_floor, x->records_floor);
}

/* ---- reading ---- */

static bool read_file(struct bytes *b, struct file_id *f)
{
    unsigned kind = bytes_u8(b);
    *f = (struct file_id){ .kind = kind };
    f->day = bytes_u32(b);
    f->level = bytes_u32(b);
    f->sequence = bytes_u64(b);
    return !b->failed && file_kind_valid(kind) && f->sequence < UINT64_MAX;
}

static bool read_op(struct bytes *b, struct manifest_state *s)
{
    struct file_id f;
    uint64_t next;
    struct manifest_edit x = { 0 };
    switch (bytes_u8(b)) {
    case OP_ADD:
        if (!read_file(b, &f)) return false;
        f.is_final = bytes_u8(b) != 0;
        if (!b->failed) state_add(s, &f);
        break;
    case OP_DROP:
        if (!read_file(b, &f)) return false;
        state_drop(s, &f);
        break;
    case OP_FLOOR: x.wal_floor = bytes_u64(b); break;
    case OP_NUMBERS:
        x.next_series_no = bytes_u32(b);
        x.next_metric_no = bytes_u32(b);
        break;
    case OP_SEQUENCE:
        next = bytes_u64(b);
        s->next_sequence = MAX(s->next_sequence, next);
        break;
    case OP_RECORDS: x.records_floor = bytes_u64(b); break;
    default: return false;
    }
    if (!b->failed) state_apply(s, &x);
    return !b->failed;
}

static struct cipher_place place_at(uint64_t offset)
{
    return (struct cipher_place){ .what = CIPHER_MANIFEST, .at = offset };
}

static bool apply_ops(struct str payload, struct manifest_state *s)
{
    struct bytes ops = bytes_of(payload);
    while (bytes_left(&ops) > 0)
        if (!read_op(&ops, s)) return false;
    return true;
}

/* The bit that says so may itself be damage: its checksum is of the payload. All records of a sealed store
 * are sealed, and what is sealed does not read as operations. */
static bool is_really_sealed(const struct manifest_state *s, struct str payload)
{
    struct manifest_state nothing = { 0 };
    bool is_first = s->bytes == strlen(MAGIC), is_plain = apply_ops(payload, &nothing);
    manifest_state_release(&nothing);
    return is_first && !is_plain;
}

/* ERR_RANGE: a sealed record, and no user. */
static int parse(struct str text, struct cipher_user *user, struct manifest_state *s)
{
    struct buf plain = BUF_INIT(MANIFEST_BYTES_MAX);
    int rc = OK;
    struct bytes b = bytes_of(text);
    s->is_damaged = true;
    if (!str_is(bytes_take(&b, strlen(MAGIC)), MAGIC)) return OK;

    s->bytes = strlen(MAGIC);
    bool ok = true;
    while (ok && bytes_left(&b) > 0) {
        uint32_t length = bytes_u32(&b), n = length & ~SEALED, crc = bytes_u32(&b);
        bool is_sealed = length & SEALED;
        struct str payload = bytes_take(&b, n);
        ok = !b.failed && n > 0 && crc32c(0, payload.p, payload.n) == crc;
        if (ok && is_sealed && user == NULL && is_really_sealed(s, payload)) rc = ERR_RANGE;
        ok = ok && is_sealed == (user != NULL);
        if (ok && is_sealed) {
            struct cipher_place place = place_at(s->bytes);
            buf_clear(&plain);
            ok = cipher_unseal(user, &place, payload, &plain, NULL) == OK;
            payload = buf_view(&plain);
        }
        ok = ok && apply_ops(payload, s);
        if (ok) s->bytes += RECORD_HEAD + n;
    }
    s->is_damaged = !ok;
    buf_release(&plain);
    return rc;
}

void manifest_parse(struct str text, struct manifest_state *s)
{
    (void)parse(text, NULL, s);
}

static int load_from(const char *dir, const char *name, struct manifest_state *s, struct err *e)
{
    char path[4096];
    struct buf text = BUF_INIT(MANIFEST_BYTES_MAX);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int rc = file_slurp(path, &text, e);
    struct cipher_user *user = seal_user(path);
    if (rc == OK && (rc = parse(buf_view(&text), user, s)) < 0)
        err_set(e, rc, "%s is encrypted, and there is no " SEAL_HEAD_FILE " file to read it with", path);
    cipher_user_free(user);
    buf_release(&text);
    return rc;
}

int manifest_load(const char *dir, struct manifest_state *s, struct err *e)
{
    *s = (struct manifest_state){ .wal_floor = 1, .next_sequence = 1 };
    int rc = load_from(dir, "MANIFEST", s, e);
    if (rc < 0 && rc != ERR_FIND) return rc;
    if (rc == OK && s->bytes > 0) return OK;

    rc = load_from(dir, "MANIFEST.prev", s, e); /* what it lacks is found in the directories */
    s->is_damaged = true;
    return rc == ERR_FIND ? OK : rc;
}

/* ---- writing ---- */

struct manifest {
    char *dir;
    struct manifest_state state;
    int fd;
    struct cipher_user *user; /* NULL: not sealed */
    uint64_t bytes;           /* of the file */
    bool is_torn;
};

static void put_file(struct buf *b, enum op op, const struct file_id *f)
{
    buf_u8(b, (uint8_t)op);
    buf_u8(b, (uint8_t)f->kind);
    buf_u32le(b, f->day);
    buf_u32le(b, f->level);
    buf_u64le(b, f->sequence);
    if (op == OP_ADD) buf_u8(b, f->is_final);
}

/* `out` goes to offset `at` of the manifest. */
static void put_record(struct buf *out, uint64_t at, struct cipher_user *user, const struct manifest_edit *x,
                       uint64_t next_sequence)
{
    struct buf ops = BUF_INIT(MANIFEST_BYTES_MAX);
    for (size_t i = 0; i < x->n_drop; i++) put_file(&ops, OP_DROP, &x->drop[i]);
    for (size_t i = 0; i < x->n_add; i++) put_file(&ops, OP_ADD, &x->add[i]);
    if (x->wal_floor) {
        buf_u8(&ops, OP_FLOOR);
        buf_u64le(&ops, x->wal_floor);
    }
    if (x->next_series_no || x->next_metric_no) {
        buf_u8(&ops, OP_NUMBERS);
        buf_u32le(&ops, x->next_series_no);
        buf_u32le(&ops, x->next_metric_no);
    }
    if (x->records_floor) {
        buf_u8(&ops, OP_RECORDS);
        buf_u64le(&ops, x->records_floor);
    }
    buf_u8(&ops, OP_SEQUENCE);
    buf_u64le(&ops, next_sequence);

    struct buf sealed = BUF_INIT(MANIFEST_BYTES_MAX);
    struct cipher_place place = place_at(at + out->n);
    if (user) cipher_seal(user, &place, buf_view(&ops), &sealed);
    struct str payload = buf_view(user ? &sealed : &ops);
    buf_u32le(out, (uint32_t)payload.n | (user ? SEALED : 0));
    buf_u32le(out, crc32c(0, payload.p, payload.n));
    buf_str(out, payload);
    buf_release(&sealed);
    buf_release(&ops);
}

static void put_whole(struct buf *out, struct cipher_user *user, const struct manifest_state *s)
{
    struct manifest_edit all = { .add = s->files,
                                 .n_add = s->n,
                                 .wal_floor = s->wal_floor,
                                 .next_series_no = s->next_series_no,
                                 .next_metric_no = s->next_metric_no,
                                 .records_floor = s->records_floor };
    buf_cs(out, MAGIC);
    put_record(out, 0, user, &all, s->next_sequence);
}

int manifest_write(const char *dir, const struct manifest_state *s, struct err *e)
{
    char path[4096];
    struct buf text = BUF_INIT(MANIFEST_BYTES_MAX);
    snprintf(path, sizeof path, "%s/MANIFEST", dir);
    struct cipher_user *user = seal_user(path);
    put_whole(&text, user, s);
    int rc = file_replace(path, buf_view(&text), e);
    cipher_user_free(user);
    buf_release(&text);
    return rc;
}

/* The old file gets a second name, so that it outlives the rename. Losing it costs only the spare. */
static void keep_previous(const char *dir)
{
    char path[4096], prev[4096];
    snprintf(path, sizeof path, "%s/MANIFEST", dir);
    snprintf(prev, sizeof prev, "%s/MANIFEST.prev", dir);
    file_unlink(prev, NULL);
    file_link(path, prev, NULL);
}

static int rewrite(struct manifest *m, struct err *e)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/MANIFEST", m->dir);
    m->is_torn =
        true; /* until all of this has worked: after a rename that half failed, fd may be the old file */
    if (!m->state.is_damaged) keep_previous(m->dir);
    int rc = manifest_write(m->dir, &m->state, e);
    if (rc < 0) return rc;

    if (m->fd >= 0) file_close(m->fd, NULL);
    m->fd = file_open(path, O_WRONLY, e);
    if (m->fd < 0) return m->fd;
    int64_t size = file_size(m->fd, e);
    if (size < 0) return (int)size;
    m->bytes = (uint64_t)size;
    m->is_torn = false;
    m->state.is_damaged = false;
    return OK;
}

int manifest_open(const char *dir, struct manifest_state *s, struct manifest **out, struct err *e)
{
    char path[4096];
    struct manifest *m = mem_alloc_zero(sizeof *m);
    m->dir = mem_strdup(dir);
    m->state = *s;
    m->bytes = s->bytes;
    m->is_torn = s->is_damaged;
    *s = (struct manifest_state){ 0 };
    snprintf(path, sizeof path, "%s/MANIFEST", dir);
    m->user = seal_user(path);

    m->fd = m->is_torn ? -1 : file_open(path, O_WRONLY, e);
    int rc = m->is_torn ? rewrite(m, e) : MIN(m->fd, 0);
    if (rc == ERR_FULL)
        rc = OK; /* still torn: nothing is lost by waiting, the next start would read the same */
    if (rc < 0) {
        manifest_close(m);
        return rc;
    }
    *out = m;
    return OK;
}

void manifest_close(struct manifest *m)
{
    if (m == NULL) return;
    if (m->fd >= 0) file_close(m->fd, NULL);
    manifest_state_release(&m->state);
    cipher_user_free(m->user);
    mem_free(m->dir);
    mem_free(m);
}

const struct manifest_state *manifest_state(const struct manifest *m)
{
    return &m->state;
}

int manifest_settle(struct manifest *m, struct err *e)
{
    return m->is_torn ? rewrite(m, e) : OK;
}

static uint64_t sequence_after(const struct manifest_state *s, const struct manifest_edit *x)
{
    uint64_t next = s->next_sequence;
    for (size_t i = 0; i < x->n_add; i++) next = MAX(next, x->add[i].sequence + 1);
    return next;
}

int manifest_apply(struct manifest *m, const struct manifest_edit *x, struct err *e)
{
    int rc = manifest_settle(m, e);
    if (rc < 0) return rc;

    struct buf record = BUF_INIT(MANIFEST_BYTES_MAX);
    put_record(&record, m->bytes, m->user, x, sequence_after(&m->state, x));
    rc = file_write_at(m->fd, record.p, record.n, m->bytes, e);
    if (rc == OK) rc = file_sync(m->fd, e);
    if (rc == OK) {
        m->bytes += record.n;
        state_apply(&m->state, x);
    } else {
        m->is_torn = true;
    }
    buf_release(&record);
    if (rc == OK && m->bytes > MAX((uint64_t)REWRITE_LEAST, 4 * ADD_BYTES * (uint64_t)m->state.n)) {
        struct err why = ERR_INIT; /* the edit is safe; the old file serves on */
        if (rewrite(m, &why) < 0) log_warn("manifest", "not rewritten", "why", why.text, NULL);
    }
    return rc;
}
