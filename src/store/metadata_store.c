/* metadata_store.c - families in an array, found by a hash of their name; each owns one piece of text
 * with its four fields. */
#include "store/metadata_store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/bytes.h"
#include "store/id_table.h"
#include "store/record_file.h"

#define LIMIT_DEFAULT 100000
#define MAGIC         "VDTMETA1"

enum { FAMILY, TYPE, HELP, UNIT, FIELDS };

static const size_t field_max[FIELDS] = { METADATA_FAMILY_MAX, METADATA_TYPE_MAX, METADATA_HELP_MAX,
                                          METADATA_UNIT_MAX };

struct family {
    char *text; /* the fields, one after the other */
    uint16_t n[FIELDS];
};

struct fields { /* the same, borrowed */
    struct str at[FIELDS];
};

struct metadata_store {
    pthread_mutex_t mu; /* all below */
    struct family *families;
    size_t n, cap, limit;
    struct id_table by_name;
    size_t text_bytes;
    uint64_t refused;
    bool dirty;
};

struct metadata_store *metadata_store_new(size_t limit)
{
    struct metadata_store *s = mem_alloc_zero(sizeof *s);
    s->limit = limit ? limit : LIMIT_DEFAULT;
    check(s->limit < ID_NONE);
    check(pthread_mutex_init(&s->mu, NULL) == 0);
    return s;
}

void metadata_store_free(struct metadata_store *s)
{
    if (s == NULL) return;
    for (size_t i = 0; i < s->n; i++) mem_free(s->families[i].text);
    mem_free(s->families);
    id_table_release(&s->by_name);
    pthread_mutex_destroy(&s->mu);
    mem_free(s);
}

/* ---- fields ---- */

static struct fields fields_of(const struct family *f)
{
    struct fields out;
    const char *at = f->text;
    for (int i = 0; i < FIELDS; at += f->n[i++]) out.at[i] = str_make(at, f->n[i]);
    return out;
}

static size_t fields_bytes(const struct fields *f)
{
    size_t n = 0;
    for (int i = 0; i < FIELDS; i++) n += f->at[i].n;
    return n;
}

static struct family family_make(const struct fields *fields)
{
    struct family f = { .text = mem_alloc(fields_bytes(fields) + 1) };
    char *at = f.text;
    for (int i = 0; i < FIELDS; i++) {
        if (fields->at[i].n > 0) memcpy(at, fields->at[i].p, fields->at[i].n);
        at += fields->at[i].n;
        f.n[i] = (uint16_t)fields->at[i].n;
    }
    return f;
}

/* Not in the middle of a character. */
static struct str cut(struct str s, size_t max)
{
    if (s.n <= max) return s;
    while (max > 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80) max--;
    return str_make(s.p, max);
}

static int fields_check(const struct metadata *m, struct fields *out, struct err *e)
{
    *out = (struct fields){ { m->family, m->type, m->help, m->unit } };
    if (m->family.n == 0 || m->family.n > METADATA_FAMILY_MAX)
        return err_set(e, ERR_RANGE, "metadata: a family name has 1 to %d bytes", METADATA_FAMILY_MAX);
    for (int i = 0; i < FIELDS; i++) {
        if (!str_utf8_valid(out->at[i])) return err_set(e, ERR_RANGE, "metadata of a family: not UTF-8");
        out->at[i] = cut(out->at[i], field_max[i]);
    }
    return OK;
}

/* ---- putting ---- */

struct wanted {
    const struct metadata_store *s;
    struct str family;
};

static bool same_family(const void *ctx, uint32_t id)
{
    const struct wanted *w = ctx;
    const struct family *f = &w->s->families[id];
    return str_eq(w->family, str_make(f->text, f->n[FAMILY]));
}

static uint32_t find(const struct metadata_store *s, struct str family)
{
    struct wanted w = { s, family };
    return id_table_find(&s->by_name, id_table_fold(hash64(family.p, family.n)), same_family, &w);
}

static int add_family(struct metadata_store *s, const struct fields *fields, struct err *e)
{
    if (s->n >= s->limit) {
        s->refused++;
        return err_set(e, ERR_LIMIT, "metadata of more than %zu metric families", s->limit);
    }
    s->families = mem_grow(s->families, s->n, &s->cap, sizeof *s->families);
    s->families[s->n] = family_make(fields);
    s->text_bytes += fields_bytes(fields);
    id_table_add(&s->by_name, id_table_fold(hash64(fields->at[FAMILY].p, fields->at[FAMILY].n)),
                 (uint32_t)s->n++);
    return 1;
}

static int update_family(struct metadata_store *s, struct family *f, const struct fields *said)
{
    struct fields known = fields_of(f), merged = known;
    bool news = false;
    for (int i = 0; i < FIELDS; i++) {
        if (said->at[i].n == 0 || str_eq(said->at[i], known.at[i])) continue;
        merged.at[i] = said->at[i];
        news = true;
    }
    if (!news) return 0;
    struct family fresh = family_make(&merged);
    s->text_bytes += fields_bytes(&merged) - fields_bytes(&known);
    mem_free(f->text);
    *f = fresh;
    return 1;
}

int metadata_store_put(struct metadata_store *s, const struct metadata *m, struct err *e)
{
    struct fields fields;
    int rc = fields_check(m, &fields, e);
    if (rc < 0) return rc;

    pthread_mutex_lock(&s->mu);
    uint32_t id = find(s, fields.at[FAMILY]);
    rc = id == ID_NONE ? add_family(s, &fields, e) : update_family(s, &s->families[id], &fields);
    if (rc > 0) s->dirty = true;
    pthread_mutex_unlock(&s->mu);
    return rc;
}

/* ---- asking ---- */

static struct metadata copy(const struct family *f, struct arena *a)
{
    struct fields at = fields_of(f);
    return (struct metadata){ arena_str(a, at.at[FAMILY]), arena_str(a, at.at[TYPE]),
                              arena_str(a, at.at[HELP]), arena_str(a, at.at[UNIT]) };
}

static int by_family(const void *left, const void *right)
{
    const struct metadata *a = left, *b = right;
    return str_cmp(a->family, b->family);
}

static int copy_all(const struct metadata_store *s, struct call *call, struct metadata *out, struct err *e)
{
    for (size_t i = 0; i < s->n; i++) {
        int rc = i % 256 == 0 ? call_check(call, e) : OK;
        if (rc < 0) return rc;
        out[i] = copy(&s->families[i], call->arena);
    }
    qsort(out, s->n, sizeof *out, by_family);
    return OK;
}

int metadata_store_query(struct metadata_store *s, struct call *call, struct str family, size_t limit,
                         struct metadata **out, size_t *n_out, struct err *e)
{
    int rc = OK;
    size_t n = 0;
    pthread_mutex_lock(&s->mu);
    uint32_t one = family.n > 0 ? find(s, family) : ID_NONE;
    *out = arena_array(call->arena, family.n > 0 ? 1 : s->n + 1, sizeof **out);
    if (one != ID_NONE) (*out)[n++] = copy(&s->families[one], call->arena);
    if (family.n == 0 && (rc = copy_all(s, call, *out, e)) == OK) n = s->n;
    pthread_mutex_unlock(&s->mu);
    *n_out = limit > 0 ? MIN(n, limit) : n;
    return rc;
}

void metadata_store_stats(struct metadata_store *s, struct metadata_stats *out)
{
    pthread_mutex_lock(&s->mu);
    *out = (struct metadata_stats){
        .families = s->n,
        .bytes = s->text_bytes + s->cap * sizeof *s->families + id_table_bytes(&s->by_name),
        .refused = s->refused,
    };
    pthread_mutex_unlock(&s->mu);
}

/* ---- on disk: four strings, each varint length and bytes ---- */

static void put_family(struct buf *file, struct buf *record, const struct family *f)
{
    struct fields at = fields_of(f);
    buf_clear(record);
    for (int i = 0; i < FIELDS; i++) {
        buf_varint(record, at.at[i].n);
        buf_str(record, at.at[i]);
    }
    record_file_add(file, buf_view(record));
}

static void put_families(void *ctx, struct buf *file, struct buf *scratch)
{
    struct metadata_store *s = ctx;
    for (size_t i = 0; i < s->n; i++) put_family(file, scratch, &s->families[i]);
}

static int load_record(void *ctx, struct str payload, struct err *e)
{
    struct bytes in = bytes_of(payload);
    struct metadata m;
    m.family = bytes_str(&in);
    m.type = bytes_str(&in);
    m.help = bytes_str(&in);
    m.unit = bytes_str(&in);
    if (in.failed || bytes_left(&in) != 0) return err_set(e, ERR_CORRUPT, "a family is not well formed");
    int rc = metadata_store_put(ctx, &m, e);
    return rc == ERR_RANGE   ? ERR_CORRUPT
           : rc == ERR_LIMIT ? OK
                             : MIN(rc, OK); /* a lower limit than before is no damage */
}

static struct record_file file_of(struct metadata_store *s)
{
    return (struct record_file){ MAGIC, &s->mu, &s->dirty, put_families, load_record, s };
}

int metadata_store_save(struct metadata_store *s, const char *path, struct err *e)
{
    struct record_file f = file_of(s);
    return record_file_save(path, &f, e);
}

int metadata_store_load(struct metadata_store *s, const char *path, struct err *e)
{
    struct record_file f = file_of(s);
    return record_file_load(path, &f, e);
}
