/* recover_files.c - at a start: which of the files that are there are the store.
 *
 * Normally those that the manifest lists; what else lies there was left half-way and goes. But a manifest
 * that was damaged, or that lists what is gone, has lost its end, and one that was cut between two records
 * does not even look damaged. So then every file that may hold something of its own is taken in, too.
 * Samples, series and summaries may be there twice. Logs and spans may not, so of their parts each says which
 * writes it covers (covers.h), and in each day stays what is needed to hold everything once:
 *
 *     covered wholly by another     goes: it is a source of a merge, or was written anew by a deletion; of
 * two that cover the same the one of the higher level stays not listed, all of its writes up to the
 * manifest's records floor, and beside no listed one: goes, since at that floor it had been dropped; unless a
 * listed file of the day is gone not listed, beyond the floor  is read to the last byte first: the log may
 * have the same rows, which will be left out because of it. If it is damaged it is put aside does not say
 * (old files)      stays, as samples do
 *
 * What is taken in is on the disk, with its name, before anything goes; and what goes stays gone before
 * anything else is written, so that no file comes back beside a later one with the same rows.
 *
 * Listed files that cannot be opened are renamed to NAME.damaged and left out. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "store/recover_impl.h"

enum verdict { STAYS, GOES, ASIDE };

struct found { /* a file in the directory of a day */
    struct file_id id;
    struct cover cover; /* last 0: it does not say, or cannot */
    bool is_listed;
    bool is_whole; /* listed, or read to the last byte */
    enum verdict verdict;
};

struct walk {
    struct recovery *r;
    size_t n_listed;   /* files of the manifest; those taken in follow, unsorted */
    uint64_t heard_of; /* sequences below were given out, says the manifest */
    enum table table;  /* of the day being walked */
    const char *day_name;
    char dir[4200]; /* its directory */
    struct found *at;
    size_t n, cap;
    struct file_id *displaced; /* listed, and held by one that was not */
    size_t n_displaced, cap_displaced;
    bool took_in; /* anything */
};

static bool is_listed(const struct walk *w, const struct file_id *id)
{
    const struct manifest_state *m = &w->r->state;
    for (size_t low = 0, high = w->n_listed; low < high;) {
        size_t mid = low + (high - low) / 2;
        int c = file_id_cmp(&m->files[mid], id);
        if (c == 0) return true;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static void path_of(const struct walk *w, const struct file_id *id, char out[4200])
{
    file_id_path(out, 4200, w->r->s->dir, id);
}

/* ---- looking at one ---- */

static void no_report(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

/* Every byte of it: what a flush left unfinished may have its last page on the disk and not its first. */
static bool is_sound(const struct walk *w, const struct file_id *id)
{
    char path[4200];
    path_of(w, id, path);
    return file_type(id->kind)->verify(path, no_report, NULL, NULL) == 0;
}

static bool is_newer(const struct walk *w, const struct file_id *id)
{
    return id->sequence >= w->heard_of;
}

/* False: it cannot be opened. */
static bool ask_cover(const struct walk *w, struct found *f)
{
    struct store_file *file;
    if (store_file_open(w->r->s->dir, &f->id, &file, NULL) < 0) return false;
    f->cover = (struct cover){ .table = w->table, .day = f->id.day };
    if (w->table != TABLE_METRICS) {
        f->cover.after = record_part_info(file->records)->after_write;
        f->cover.last = record_part_info(file->records)->last_write;
    }
    store_file_unref(file);
    return true;
}

/* Where a row twice counts once. */
static void weigh_metrics(struct walk *w, struct found *f)
{
    bool may_be_cut_off = f->id.kind == FILE_PART || f->id.kind == FILE_INDEX;
    bool is_wanted = w->r->state.is_damaged ? ask_cover(w, f)
                                            : may_be_cut_off && is_newer(w, &f->id) && is_sound(w, &f->id);
    f->verdict = is_wanted ? STAYS : GOES;
}

static void weigh_records(struct walk *w, struct found *f)
{
    const struct manifest_state *m = &w->r->state;
    f->verdict = GOES;
    if (!ask_cover(w, f) || (!m->is_damaged && !is_newer(w, &f->id))) return;
    bool is_beyond = f->cover.last > m->records_floor;
    if (f->cover.last > 0) f->is_whole = is_sound(w, &f->id);
    if (m->is_damaged)
        f->verdict = is_beyond && !f->is_whole ? ASIDE : STAYS;
    else
        f->verdict = is_beyond && f->is_whole ? STAYS : GOES;
}

/* ---- those of a day beside each other ---- */

static bool is_better(const struct found *a, const struct found *b)
{
    if (!cover_holds(&b->cover, &a->cover)) return true; /* it has more */
    if (a->id.level != b->id.level) return a->id.level > b->id.level;
    return a->is_listed != b->is_listed ? a->is_listed : a->id.sequence > b->id.sequence;
}

static bool is_held(const struct walk *w, const struct found *f)
{
    for (const struct found *o = w->at; o < w->at + w->n; o++)
        if (o != f && o->verdict == STAYS && o->is_whole && cover_holds(&o->cover, &f->cover) &&
            is_better(o, f))
            return true;
    return false;
}

/* It cannot be read to its end, and another has some of the same rows. */
static bool is_spoilt(const struct walk *w, const struct found *f)
{
    for (const struct found *o = w->at; o < w->at + w->n && !f->is_whole; o++)
        if (o->verdict == STAYS && o->is_whole && cover_overlaps(&o->cover, &f->cover)) return true;
    return false;
}

static bool is_beside_listed(const struct walk *w, const struct found *f)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].is_listed && cover_overlaps(&w->at[i].cover, &f->cover)) return true;
    return false;
}

static bool are_all_there(const struct walk *w, uint32_t day)
{
    size_t listed = 0, there = 0;
    for (size_t i = 0; i < w->n_listed; i++)
        listed += w->r->state.files[i].day == day && w->r->state.files[i].kind == table_kind(w->table);
    for (size_t i = 0; i < w->n; i++) there += w->at[i].is_listed;
    return listed == there;
}

static bool was_dropped(const struct walk *w, const struct found *f)
{
    return !f->is_listed && f->cover.last > 0 && f->cover.last <= w->r->state.records_floor &&
           !is_beside_listed(w, f) && are_all_there(w, f->id.day);
}

static void compare(struct walk *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].is_listed)
            ask_cover(w, &w->at[i]); /* one that cannot be opened is left to open_listed */
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].verdict == STAYS && was_dropped(w, &w->at[i])) w->at[i].verdict = GOES;
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].verdict == STAYS && is_spoilt(w, &w->at[i])) w->at[i].verdict = ASIDE;
    for (size_t i = 0; i < w->n; i++)
        if (w->at[i].verdict == STAYS && is_held(w, &w->at[i])) w->at[i].verdict = GOES;
}

/* ---- what comes of it ---- */

static int take_in(struct walk *w, const struct file_id *id)
{
    struct manifest_state *m = &w->r->state;
    char path[4200];
    path_of(w, id, path);
    log_warn("store", "a file that the manifest does not list is taken in", "path", path, NULL);
    m->files = mem_grow(m->files, m->n, &m->cap, sizeof m->files[0]);
    m->files[m->n++] = *id; /* sorted again after the walk */
    w->took_in = true;
    return recover_make_safe(path, w->r->e);
}

/* Listed ones go with the next start, when a manifest without them is safe. */
static void displace(struct walk *w, const struct file_id *id)
{
    char path[4200];
    path_of(w, id, path);
    log_warn("store", "another file holds all that this one does", "path", path, NULL);
    w->displaced = mem_grow(w->displaced, w->n_displaced, &w->cap_displaced, sizeof w->displaced[0]);
    w->displaced[w->n_displaced++] = *id;
}

static bool put_aside(struct walk *w, const struct file_id *id, const char *why)
{
    char path[4200], aside[4300];
    path_of(w, id, path);
    snprintf(aside, sizeof aside, "%s.damaged", path);
    stat_add(w->r->s->stats.files_set_aside, 1);
    log_error("store", "a file is missing or damaged and left out", "path", path, "why", why, NULL);
    return w->r->s->conf.read_only || file_rename(path, aside, NULL) == OK;
}

static bool remove_it(const char *path)
{
    if (file_unlink(path, NULL) < 0) return false;
    log_info("store", "a file that is not part of the store is removed", "path", path, NULL);
    return true;
}

static int keep(struct walk *w)
{
    int rc = OK;
    bool any = false;
    for (size_t i = 0; rc == OK && i < w->n; i++) {
        const struct found *f = &w->at[i];
        if (f->is_listed && f->verdict == GOES) displace(w, &f->id);
        if (f->is_listed || f->verdict != STAYS) continue;
        rc = take_in(w, &f->id);
        any = true;
    }
    return rc == OK && any ? file_sync_dir(w->dir, w->r->e) : rc;
}

static int clear(struct walk *w)
{
    bool any = false;
    char path[4200];
    for (size_t i = 0; i < w->n; i++) {
        const struct found *f = &w->at[i];
        path_of(w, &f->id, path);
        if (f->is_listed || f->verdict == STAYS) continue;
        any |= f->verdict == ASIDE ? put_aside(w, &f->id, "not all of it can be read") : remove_it(path);
    }
    return any ? file_sync_dir(w->dir, w->r->e) : OK;
}

static int find_file(const char *name, bool is_dir, void *ctx)
{
    struct walk *w = ctx;
    struct found f = { .is_whole = false };
    char path[4500];
    if (is_dir || str_ends(str_of(name), ".damaged")) return OK;
    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    if (!file_id_parse(w->table, w->day_name, name, &f.id)) {
        remove_it(path);
        return OK;
    }
    f.is_listed = f.is_whole = is_listed(w, &f.id);
    if (!f.is_listed)
        w->r->state.next_sequence = MAX(w->r->state.next_sequence, f.id.sequence + 1); /* its name may stay */
    w->at = mem_grow(w->at, w->n, &w->cap, sizeof w->at[0]);
    w->at[w->n++] = f;
    return OK;
}

static int walk_day(const char *name, bool is_dir, void *ctx)
{
    struct walk *w = ctx;
    if (!is_dir) return OK;
    w->n = 0;
    w->day_name = name;
    snprintf(w->dir, sizeof w->dir, "%s/%s/%.32s", w->r->s->dir, table_name(w->table), name);
    int rc = file_list(w->dir, find_file, w, w->r->e);
    size_t unlisted = 0;
    for (size_t i = 0; rc == OK && i < w->n; i++) {
        if (w->at[i].is_listed) continue;
        (w->table == TABLE_METRICS ? weigh_metrics : weigh_records)(w, &w->at[i]);
        unlisted++;
    }
    if (rc < 0 || unlisted == 0) return rc;
    if (w->table != TABLE_METRICS) compare(w);
    rc = keep(w);
    return rc == OK ? clear(w) : rc;
}

/* A drop is in the manifest before the file goes: so when a listed one is gone, the manifest has lost its
 * end. */
static bool lists_what_is_gone(const struct recovery *r)
{
    char path[4200];
    for (size_t i = 0; i < r->state.n; i++) {
        file_id_path(path, sizeof path, r->s->dir, &r->state.files[i]);
        if (!file_exists(path)) return true;
    }
    return false;
}

static int by_id(const void *a, const void *b)
{
    return file_id_cmp(a, b);
}

static void correct_list(struct walk *w)
{
    struct manifest_state *m = &w->r->state;
    size_t kept = 0;
    for (size_t i = 0; i < m->n; i++) {
        bool is_out = false;
        for (size_t k = 0; k < w->n_displaced; k++)
            is_out |= file_id_cmp(&m->files[i], &w->displaced[k]) == 0;
        if (!is_out) m->files[kept++] = m->files[i];
    }
    m->n = kept;
    qsort(m->files, m->n, sizeof m->files[0], by_id);
    m->is_damaged = true; /* so that it is written anew */
}

static int walk_all(struct recovery *r)
{
    char path[4200];
    struct walk w = { .r = r, .n_listed = r->state.n, .heard_of = r->state.next_sequence };
    int rc = OK;
    r->state.is_damaged |= lists_what_is_gone(r);
    for (int t = 0; rc == OK && t < TABLE_COUNT; t++) {
        w.table = (enum table)t;
        snprintf(path, sizeof path, "%s/%s", r->s->dir, table_name(w.table));
        rc = file_list(path, walk_day, &w, r->e);
        if (rc == ERR_FIND) rc = OK;
    }
    if (rc == OK && w.took_in) rc = table_dirs_sync(r->s->dir, r->e);
    if (rc == OK && (w.took_in || w.n_displaced > 0)) correct_list(&w);
    mem_free(w.at);
    mem_free(w.displaced);
    return rc;
}

/* ---- the list, opened ---- */

static int open_listed(struct recovery *r)
{
    size_t kept = 0;
    struct walk w = { .r = r };
    for (size_t i = 0; i < r->state.n; i++) {
        struct store_file *f;
        struct err why = ERR_INIT;
        int rc = store_file_open(r->s->dir, &r->state.files[i], &f, &why);
        if (rc == ERR_CORRUPT || rc == ERR_FIND || rc == ERR_UNSUPPORTED) {
            put_aside(&w, &r->state.files[i], why.text);
            r->state.is_damaged = true; /* so that the manifest is written anew, without it */
            continue;
        }
        if (rc < 0) return err_set(r->e, rc, "%s", why.text);
        r->files = mem_grow(r->files, r->n_files, &r->cap_files, sizeof r->files[0]);
        r->files[r->n_files++] = f;
        r->state.files[kept++] = r->state.files[i];
    }
    r->state.n = kept;
    return OK;
}

static void note_covers(struct recovery *r)
{
    for (size_t i = 0; i < r->n_files; i++) {
        const struct store_file *f = r->files[i];
        if (f->records == NULL) continue;
        const struct record_part_info *info = record_part_info(f->records);
        struct cover c = { file_type(f->id.kind)->table, f->id.day, info->after_write, info->last_write };
        r->is_silent |= c.last == 0;
        if (c.last > r->state.records_floor) covers_add(&r->covered, &c);
    }
    covers_seal(&r->covered);
}

int recover_files(struct recovery *r)
{
    bool read_only = r->s->conf.read_only;
    char path[4200];
    int rc = manifest_load(r->s->dir, &r->state, r->e);
    if (rc == OK && r->state.is_damaged && r->state.bytes > 0)
        log_warn("store", "the manifest is damaged: what follows its last good record is cut off", "bytes",
                 log_num((int64_t)r->state.bytes), NULL);
    snprintf(path, sizeof path, "%s/MANIFEST", r->s->dir);
    if (rc == OK && !read_only) rc = recover_make_safe(path, r->e);
    if (rc == OK && !read_only) rc = walk_all(r);
    if (rc == OK) rc = open_listed(r);
    if (rc == OK) note_covers(r);
    return rc;
}
