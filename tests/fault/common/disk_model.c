/* disk_model.c - see disk_model.h.
 *
 * A node is a file or a directory. Of a file there are the safe bytes, and the writes since the last sync; of
 * a directory the safe names, the changes since the last sync, and the names as the program sees them. */
#include "fault/common/disk_model.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "fault/common/random.h"

enum { PATH_CAP = 4096, FILE_CAP = 1 << 30 };

struct node;

struct name {
    char *text;
    struct node *node; /* in a change: NULL = the name goes */
};
struct names {
    struct name *at;
    size_t n, cap;
};

struct write { /* not safe yet */
    enum trace_kind kind;
    uint64_t at, n;
    const char *bytes; /* of the trace */
    size_t record;
    bool is_poisoned; /* (3) */
};

struct change {                /* of one directory, not safe yet */
    struct name first, second; /* second: of a rename; text NULL = none */
    size_t record;
};

struct node {
    uint64_t id;
    bool is_dir;
    char *safe; /* file */
    size_t n_safe;
    struct write *writes;
    size_t n_writes, cap_writes;
    struct names safe_names, names; /* directory */
    struct change *changes;
    size_t n_changes, cap_changes;
};

struct disk {
    struct node **nodes; /* all there ever were */
    size_t n, cap;
    struct {
        uint64_t inode;
        struct node *node;
    } * inodes; /* the latest use of a number is the last */
    size_t n_inodes, cap_inodes;
    size_t record; /* applied last */
};

/* ---- nodes and names ---- */

static struct node *node_new(struct disk *d, bool is_dir)
{
    struct node *f = mem_alloc_zero(sizeof *f);
    f->is_dir = is_dir;
    f->id = d->n;
    d->nodes = mem_grow(d->nodes, d->n, &d->cap, sizeof d->nodes[0]);
    d->nodes[d->n++] = f;
    return f;
}

static struct name *names_find(const struct names *s, const char *text, size_t n)
{
    for (size_t i = 0; i < s->n; i++)
        if (strlen(s->at[i].text) == n && memcmp(s->at[i].text, text, n) == 0) return &s->at[i];
    return NULL;
}

static void names_set(struct names *s, const char *text, struct node *node)
{
    struct name *old = names_find(s, text, strlen(text));
    if (old != NULL && node != NULL) {
        old->node = node;
    } else if (old != NULL) {
        mem_free(old->text);
        *old = s->at[--s->n];
    } else if (node != NULL) {
        s->at = mem_grow(s->at, s->n, &s->cap, sizeof s->at[0]);
        s->at[s->n++] = (struct name){ mem_strdup(text), node };
    }
}

static void names_apply(struct names *s, const struct change *c)
{
    names_set(s, c->first.text, c->first.node);
    if (c->second.text != NULL) names_set(s, c->second.text, c->second.node);
}

static void names_release(struct names *s)
{
    for (size_t i = 0; i < s->n; i++) mem_free(s->at[i].text);
    mem_free(s->at);
    *s = (struct names){ 0 };
}

static void change_release(struct change *c)
{
    mem_free(c->first.text);
    mem_free(c->second.text);
}

static struct node *by_inode(const struct disk *d, uint64_t inode)
{
    for (size_t i = d->n_inodes; i-- > 0;)
        if (d->inodes[i].inode == inode) return d->inodes[i].node;
    return NULL;
}

static void know_inode(struct disk *d, uint64_t inode, struct node *f)
{
    d->inodes = mem_grow(d->inodes, d->n_inodes, &d->cap_inodes, sizeof d->inodes[0]);
    d->inodes[d->n_inodes].inode = inode;
    d->inodes[d->n_inodes++].node = f;
}

/* The directory of a path and the last name in it; "." and ".." are understood. NULL: outside of the root. */
static struct node *parent_of(const struct disk *d, const char *path, size_t n, char last[256])
{
    struct node *way[64] = { d->nodes[0] };
    size_t depth = 0;
    last[0] = 0;
    for (size_t i = 0; i < n;) {
        while (i < n && path[i] == '/') i++;
        size_t from = i;
        while (i < n && path[i] != '/') i++;
        if (i == from || (i - from == 1 && path[from] == '.')) continue;
        if (last[0] != 0) { /* the name before was a directory on the way */
            struct name *next = names_find(&way[depth]->names, last, strlen(last));
            if (next == NULL || !next->node->is_dir || depth == COUNT(way) - 1) return NULL;
            way[++depth] = next->node;
            last[0] = 0;
        }
        if (i - from == 2 && memcmp(path + from, "..", 2) == 0) {
            if (depth-- == 0) return NULL;
            continue;
        }
        check(i - from < 256);
        memcpy(last, path + from, i - from);
        last[i - from] = 0;
    }
    return way[depth];
}

static struct node *find(const struct disk *d, const char *path, size_t n)
{
    char last[256];
    struct node *dir = parent_of(d, path, n, last);
    if (dir == NULL || last[0] == 0) return dir;
    struct name *at = names_find(&dir->names, last, strlen(last));
    return at ? at->node : NULL;
}

/* ---- the disk as it is at the start ---- */

static void read_whole(struct node *f, const char *path, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd >= 0 && n <= FILE_CAP);
    f->safe = mem_alloc(n + 1);
    f->n_safe = n;
    check(pread(fd, f->safe, n, 0) == (ssize_t)n);
    close(fd);
}

static void read_tree(struct disk *d, struct node *dir, const char *path)
{
    DIR *h = opendir(path);
    check(h != NULL);
    for (struct dirent *e; (e = readdir(h)) != NULL;) {
        char child[PATH_CAP];
        struct stat s;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        check(snprintf(child, sizeof child, "%s/%s", path, e->d_name) < PATH_CAP);
        check(stat(child, &s) == 0);
        struct node *f = by_inode(d, s.st_ino);
        if (f == NULL) {
            f = node_new(d, S_ISDIR(s.st_mode));
            know_inode(d, s.st_ino, f);
            if (f->is_dir)
                read_tree(d, f, child);
            else
                read_whole(f, child, (size_t)s.st_size);
        }
        names_set(&dir->safe_names, e->d_name, f);
        names_set(&dir->names, e->d_name, f);
    }
    closedir(h);
}

struct disk *disk_new(const char *root)
{
    struct disk *d = mem_alloc_zero(sizeof *d);
    read_tree(d, node_new(d, true), root);
    return d;
}

void disk_free(struct disk *d)
{
    if (d == NULL) return;
    for (size_t i = 0; i < d->n; i++) {
        struct node *f = d->nodes[i];
        names_release(&f->safe_names);
        names_release(&f->names);
        for (size_t k = 0; k < f->n_changes; k++) change_release(&f->changes[k]);
        mem_free(f->changes);
        mem_free(f->writes);
        mem_free(f->safe);
        mem_free(f);
    }
    mem_free(d->nodes);
    mem_free(d->inodes);
    mem_free(d);
}

/* ---- the trace ---- */

bool trace_load(const char *path, struct trace *t)
{
    struct stat s;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *t = (struct trace){ 0 };
    if (fd < 0 || fstat(fd, &s) < 0) return false;
    t->n_bytes = (size_t)s.st_size;
    t->bytes = mem_alloc(t->n_bytes + 1);
    bool is_read = pread(fd, t->bytes, t->n_bytes, 0) == (ssize_t)t->n_bytes;
    close(fd);
    size_t at = 0, cap = 0;
    while (is_read && t->n_bytes - at >= sizeof(struct trace_record)) {
        struct trace_record r;
        memcpy(&r, t->bytes + at, sizeof r);
        t->at = mem_grow(t->at, t->n, &cap, sizeof t->at[0]);
        t->at[t->n++] = at;
        at += sizeof r + r.n_path + r.n_to + r.n_bytes;
    }
    return is_read && at == t->n_bytes;
}

void trace_release(struct trace *t)
{
    mem_free(t->bytes);
    mem_free(t->at);
    *t = (struct trace){ 0 };
}

const struct trace_record *trace_get(const struct trace *t, size_t i, const char **path, const char **bytes)
{
    static struct trace_record r; /* a copy: records are not aligned. One thread. */
    memcpy(&r, t->bytes + t->at[i], sizeof r);
    *path = t->bytes + t->at[i] + sizeof r;
    *bytes = *path + r.n_path + r.n_to;
    return &r;
}

/* ---- what a record does ---- */

static void change(struct disk *d, struct node *dir, const char *name, struct node *node, const char *second,
                   struct node *second_node)
{
    struct change c = { { mem_strdup(name), node },
                        { second ? mem_strdup(second) : NULL, second_node },
                        d->record };
    names_apply(&dir->names, &c);
    dir->changes = mem_grow(dir->changes, dir->n_changes, &dir->cap_changes, sizeof c);
    dir->changes[dir->n_changes++] = c;
}

static void add_write(struct disk *d, struct node *f, const struct trace_record *r, const char *bytes)
{
    f->writes = mem_grow(f->writes, f->n_writes, &f->cap_writes, sizeof f->writes[0]);
    f->writes[f->n_writes++] = (struct write){ r->kind, r->at, r->n_bytes, bytes, d->record, false };
}

static void grow(char **p, size_t *n, uint64_t to)
{
    check(to <= FILE_CAP);
    if (to <= *n) return;
    *p = mem_realloc(*p, to + 1);
    memset(*p + *n, 0, to - *n);
    *n = to;
}

/* The whole of w, to the bytes at *p. */
static void write_apply(char **p, size_t *n, const struct write *w)
{
    if (w->kind == TRACE_SIZE && w->at < *n) *n = w->at;
    grow(p, n, w->kind == TRACE_WRITE ? w->at + w->n : w->at);
    if (w->kind == TRACE_WRITE) memcpy(*p + w->at, w->bytes, w->n);
}

static void sync_file(struct node *f)
{
    size_t left = 0;
    for (size_t i = 0; i < f->n_writes; i++) {
        if (f->writes[i].is_poisoned)
            f->writes[left++] = f->writes[i];
        else
            write_apply(&f->safe, &f->n_safe, &f->writes[i]);
    }
    f->n_writes = left;
}

static void sync_dir(struct node *dir)
{
    for (size_t i = 0; i < dir->n_changes; i++) {
        names_apply(&dir->safe_names, &dir->changes[i]);
        change_release(&dir->changes[i]);
    }
    dir->n_changes = 0;
}

static void open_file(struct disk *d, const struct trace_record *r, const char *path)
{
    char last[256];
    struct node *dir = parent_of(d, path, r->n_path, last);
    if (dir == NULL || last[0] == 0) return;
    struct name *old = names_find(&dir->names, last, strlen(last));
    if (old == NULL) {
        struct node *f = node_new(d, false);
        know_inode(d, r->inode, f);
        change(d, dir, last, f, NULL, NULL);
    } else if (r->at != 0) {
        add_write(d, old->node, &(struct trace_record){ .kind = TRACE_SIZE }, NULL);
    }
}

static void rename_name(struct disk *d, const struct trace_record *r, const char *path)
{
    char from[256], to[256];
    struct node *a = parent_of(d, path, r->n_path, from), *b = parent_of(d, path + r->n_path, r->n_to, to);
    check(a != NULL && b != NULL);
    struct name *moved = names_find(&a->names, from, strlen(from));
    check(moved != NULL);
    struct node *node = moved->node;
    if (a == b) {
        change(d, a, from, NULL, to, node);
    } else {
        change(d, a, from, NULL, NULL, NULL);
        change(d, b, to, node, NULL, NULL);
    }
}

static void set_name(struct disk *d, const char *path, size_t n, struct node *node)
{
    char last[256];
    struct node *dir = parent_of(d, path, n, last);
    check(dir != NULL && last[0] != 0);
    change(d, dir, last, node, NULL, NULL);
}

void disk_apply(struct disk *d, const struct trace *t, size_t record)
{
    const char *path, *bytes;
    struct trace_record r = *trace_get(t, record, &path, &bytes);
    struct node *f = NULL;
    d->record = record;
    switch ((enum trace_kind)r.kind) {
    case TRACE_OPEN: open_file(d, &r, path); return;
    case TRACE_RENAME: rename_name(d, &r, path); return;
    case TRACE_LINK: set_name(d, path + r.n_path, r.n_to, find(d, path, r.n_path)); return;
    case TRACE_UNLINK: set_name(d, path, r.n_path, NULL); return;
    case TRACE_MKDIR: set_name(d, path, r.n_path, node_new(d, true)); return;
    case TRACE_SYNC_DIR: f = find(d, path, r.n_path); break;
    case TRACE_MARK: return;
    default: f = by_inode(d, r.inode);
    }
    if (f == NULL) return; /* outside of the root */
    if (r.kind == TRACE_SYNC_DIR) sync_dir(f);
    if (r.kind == TRACE_SYNC) sync_file(f);
    if (r.kind == TRACE_WRITE || r.kind == TRACE_SIZE || r.kind == TRACE_ALLOCATE) add_write(d, f, &r, bytes);
    for (size_t i = 0; r.kind == TRACE_SYNC_FAILED && i < f->n_writes; i++) f->writes[i].is_poisoned = true;
}

/* ---- images ---- */

struct image {
    const struct disk *d;
    uint64_t seed;
    size_t sector;
    unsigned keep_bytes, keep_names; /* of 256 changes, how many are there */
    size_t in_order;                 /* SIZE_MAX; else just what came before this record is there */
    bool is_whole;                   /* a write is there as a whole or not at all */
    bool has_garbage;
    uint64_t lost;
};

/* The sort of loss, by the seed: nothing or everything of what was not safe, one half, nearly all, nearly
 * nothing, or an ordered disk that stopped somewhere. */
static void choose(struct image *m, struct rnd *rnd, struct disk_loss *loss)
{
    static const unsigned shares[] = { 0, 256, 128, 128, 230, 26, 128 };
    m->sector = random_below(rnd, 2) ? 512 : 4096;
    m->keep_bytes = shares[random_below(rnd, COUNT(shares))];
    m->keep_names = shares[random_below(rnd, COUNT(shares))];
    m->is_whole = random_below(rnd, 3) == 0;
    m->has_garbage = random_below(rnd, 4) == 0;
    m->in_order = SIZE_MAX;
    size_t back = random_below(rnd, 60);
    if (random_below(rnd, 6) == 0) m->in_order = m->d->record - MIN(m->d->record, back);
    snprintf(loss->text, sizeof loss->text, "sectors of %zu, %u/256 of bytes, %u/256 of names%s%s%s",
             m->sector, m->keep_bytes, m->keep_names, m->is_whole ? ", writes whole" : "",
             m->has_garbage ? ", garbage" : "", m->in_order != SIZE_MAX ? ", in order" : "");
}

static bool is_kept(struct image *m, struct rnd *rnd, size_t record, unsigned share)
{
    bool kept = m->in_order != SIZE_MAX ? record < m->in_order : random_below(rnd, 256) < share;
    if (m->in_order != SIZE_MAX && record == m->in_order) kept = random_below(rnd, 2);
    m->lost += !kept;
    return kept;
}

static void put_sectors(struct image *m, struct rnd *rnd, const struct write *w, char **p, size_t *n)
{
    size_t size = m->is_whole ? MAX(w->n, 1) : m->sector;
    for (uint64_t at = w->at, end = w->at + w->n; at < end;) {
        uint64_t to = m->is_whole ? end : MIN(end, (at / size + 1) * size);
        if (is_kept(m, rnd, w->record, m->keep_bytes)) {
            grow(p, n, to);
            memcpy(*p + at, w->bytes + (at - w->at), to - at);
        } else if (to > *n && random_below(rnd, 4) == 0) { /* the size arrived, the bytes did not */
            size_t from = *n;
            grow(p, n, to);
            for (size_t i = from; m->has_garbage && i < to; i++) (*p)[i] = (char)random_next(rnd);
        }
        at = to;
    }
}

static bool put_file(struct image *m, const struct node *f, const char *to)
{
    struct rnd rnd = random_of(m->seed, f->id + 1);
    size_t n = f->n_safe;
    char *p = mem_alloc(n + 1);
    if (n > 0) memcpy(p, f->safe, n);
    for (size_t i = 0; i < f->n_writes; i++) {
        const struct write *w = &f->writes[i];
        if (w->kind == TRACE_WRITE)
            put_sectors(m, &rnd, w, &p, &n);
        else if (is_kept(m, &rnd, w->record, m->keep_bytes))
            write_apply(&p, &n, w);
    }
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    size_t used = n; /* what follows is a hole: files reserved in advance are mostly zeros */
    while (used > 0 && p[used - 1] == 0) used--;
    bool ok = fd >= 0 && pwrite(fd, p, used, 0) == (ssize_t)used && ftruncate(fd, (off_t)n) == 0;
    if (fd >= 0) close(fd);
    mem_free(p);
    return ok;
}

static bool put_dir(struct image *m, const struct node *dir, const char *to)
{
    struct rnd rnd = random_of(m->seed, dir->id + 1);
    struct names names = { 0 };
    bool ok = true;
    for (size_t i = 0; i < dir->safe_names.n; i++)
        names_set(&names, dir->safe_names.at[i].text, dir->safe_names.at[i].node);
    for (size_t i = 0; i < dir->n_changes; i++)
        if (is_kept(m, &rnd, dir->changes[i].record, m->keep_names)) names_apply(&names, &dir->changes[i]);
    for (size_t i = 0; ok && i < names.n; i++) {
        char path[PATH_CAP];
        check(snprintf(path, sizeof path, "%s/%s", to, names.at[i].text) < PATH_CAP);
        ok = names.at[i].node->is_dir ? mkdir(path, 0750) == 0 && put_dir(m, names.at[i].node, path)
                                      : put_file(m, names.at[i].node, path);
    }
    names_release(&names);
    return ok;
}

bool disk_image(const struct disk *d, uint64_t seed, const char *to, struct disk_loss *loss)
{
    struct image m = { .d = d, .seed = seed };
    struct rnd rnd = random_of(seed, 0);
    choose(&m, &rnd, loss);
    bool ok = put_dir(&m, d->nodes[0], to);
    loss->lost = m.lost;
    return ok;
}
